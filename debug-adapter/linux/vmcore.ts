/**
 * A vmcore: an ELF core file of a whole machine, as kdump writes it and drgn and crash read it. ELF notes are laid out as
 * in the kernel's include/linux/elfcore.h; what VMCOREINFO says is Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */
import { directMap } from './address/page.ts';
import type { Kernel } from './kernel.ts';
import { LinuxError } from './linux-error.ts';

const HEADER = 64;
const PROGRAM_HEADER = 56;
const NOTE_HEADER = 12;
const PT_LOAD = 1;
const PT_NOTE = 4;
const ET_CORE = 4;
const EM_X86_64 = 62;
const NT_PRSTATUS = 1;
/** Of `struct elf_prstatus` on x86-64: its size, and where its registers begin. */
const PRSTATUS = 336;
const PRSTATUS_REGISTERS = 112;
/** `struct user_regs_struct`, by GDB's names; `orig_rax` is no register. */
const registerOrder =
  'r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs';
const LONGEST_NOTE = 65_536;
const CHUNK = 1 << 20;

/** Documentation/arch/x86/x86_64/mm.rst: where the kernel's image is mapped. */
const imageMap = 0xffff_ffff_8000_0000n;

/** Where the kernel itself has mapped RAM: readers need that to find its page tables. */
export interface KernelMap {
  /** Guest-virtual address of guest-physical 0. */
  readonly direct: bigint;
  readonly image: { readonly virtual: bigint; readonly physical: bigint; readonly size: bigint };
}

export interface Machine {
  readonly map: KernelMap;
  /** Guest-physical RAM. */
  readonly ram: readonly { readonly start: bigint; readonly end: bigint }[];
  /** Registers of each vCPU by GDB's names. */
  readonly vcpus: readonly ReadonlyMap<string, bigint>[];
  /** Whole notes to add. */
  readonly notes: readonly Uint8Array[];
  /** May answer short. */
  readPhysical(address: bigint, length: number): Promise<Uint8Array>;
}

/** What the kernel says of itself to those who read its dump: the note VMCOREINFO, whole. */
export async function vmcoreinfo(kernel: Kernel): Promise<Uint8Array> {
  const address = await kernel.word(kernel.address('vmcoreinfo_note'));
  if (address === 0n) throw new LinuxError('The kernel has not made its VMCOREINFO yet: let it start first.');
  const header = await kernel.read(address, NOTE_HEADER);
  const view = new DataView(header.buffer, header.byteOffset, NOTE_HEADER);
  const length = NOTE_HEADER + padded(view.getUint32(0, true)) + padded(view.getUint32(4, true));
  if (length > LONGEST_NOTE) throw new LinuxError('VMCOREINFO is damaged.');
  return kernel.read(address, length);
}

export async function kernelMap(kernel: Kernel): Promise<KernelMap> {
  const virtual = kernel.address('_text');
  // Modulo 2^64: KASLR may move the image less far in physical memory than in virtual.
  const physical = BigInt.asUintN(64, virtual - imageMap + (await kernel.word(kernel.address('phys_base'))));
  return {
    direct: await directMap(kernel),
    image: { virtual, physical, size: kernel.address('_end') - virtual },
  };
}

/** The file in pieces. RAM that cannot be read is zero. */
export async function* vmcore(machine: Machine): AsyncGenerator<Uint8Array> {
  const notes = Buffer.concat([...machine.vcpus.map(prstatus), ...machine.notes]);
  const { image, direct } = machine.map;
  const count = machine.ram.length + (imageRam(machine) ? 2 : 1);
  const headers = HEADER + PROGRAM_HEADER * count;
  yield elfHeader(count);
  yield programHeader({ type: PT_NOTE, offset: headers, virtual: 0n, physical: 0n, size: BigInt(notes.length) });
  let offset = headers + notes.length;
  for (const { start, end } of machine.ram) {
    yield programHeader({ type: PT_LOAD, offset, virtual: direct + start, physical: start, size: end - start });
    if (imageRam(machine)?.start === start) {
      yield programHeader({ type: PT_LOAD, offset: offset + Number(image.physical - start), ...image });
    }
    offset += Number(end - start);
  }
  yield notes;
  for (const { start, end } of machine.ram) {
    for (let at = start; at < end; at += BigInt(CHUNK)) {
      const length = Math.min(CHUNK, Number(end - at));
      const bytes = await machine.readPhysical(at, length);
      yield bytes;
      if (bytes.length < length) yield new Uint8Array(length - bytes.length);
    }
  }
}

/** The RAM with the kernel's image, which is in the file once and mapped twice. */
function imageRam({ ram, map: { image } }: Machine) {
  return ram.find(({ start, end }) => start <= image.physical && image.physical + image.size <= end);
}

function elfHeader(programHeaders: number): Uint8Array {
  const header = Buffer.alloc(HEADER);
  // 64 bits, little-endian, version 1.
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(ET_CORE, 16);
  header.writeUInt16LE(EM_X86_64, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(HEADER), 32);
  header.writeUInt16LE(HEADER, 52);
  header.writeUInt16LE(PROGRAM_HEADER, 54);
  header.writeUInt16LE(programHeaders, 56);
  return header;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly virtual: bigint;
  readonly physical: bigint;
  readonly size: bigint;
}

function programHeader(segment: Segment): Uint8Array {
  const header = Buffer.alloc(PROGRAM_HEADER);
  header.writeUInt32LE(segment.type, 0);
  header.writeBigUInt64LE(BigInt(segment.offset), 8);
  header.writeBigUInt64LE(BigInt.asUintN(64, segment.virtual), 16);
  header.writeBigUInt64LE(BigInt.asUintN(64, segment.physical), 24);
  header.writeBigUInt64LE(segment.size, 32);
  header.writeBigUInt64LE(segment.type === PT_LOAD ? segment.size : 0n, 40);
  return header;
}

function prstatus(registers: ReadonlyMap<string, bigint>): Uint8Array {
  const status = Buffer.alloc(PRSTATUS);
  for (const [index, name] of registerOrder.split(' ').entries()) {
    status.writeBigUInt64LE(BigInt.asUintN(64, registers.get(name) ?? 0n), PRSTATUS_REGISTERS + 8 * index);
  }
  return note('CORE', NT_PRSTATUS, status);
}

function note(name: string, type: number, contents: Uint8Array): Uint8Array {
  const nameLength = name.length + 1;
  const bytes = Buffer.alloc(NOTE_HEADER + padded(nameLength) + padded(contents.length));
  bytes.writeUInt32LE(nameLength, 0);
  bytes.writeUInt32LE(contents.length, 4);
  bytes.writeUInt32LE(type, 8);
  bytes.write(name, NOTE_HEADER, 'latin1');
  bytes.set(contents, NOTE_HEADER + padded(nameLength));
  return bytes;
}

/** Names and contents of notes end at a multiple of four bytes. */
const padded = (length: number) => Math.ceil(length / 4) * 4;
