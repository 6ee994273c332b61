/**
 * Linux's own unwind tables, `.orc_unwind` and `.orc_unwind_ip`: where the caller's stack begins, for every instruction
 * of the kernel, assembly included. Linux, Documentation/arch/x86/orc-unwinder.rst and arch/x86/include/asm/orc_types.h.
 */
import { type Addresses, lastAtMost, sortedOrder } from './addresses.ts';
import type { CallerRegisters, FrameContext } from './api.ts';
import type { ElfFile, ElfSection } from './elf.ts';
import { loadWord } from './words.ts';

/** What an offset counts from: ORC_REG_*. */
const base = {
  undefined: 0,
  previousSp: 1,
  dx: 2,
  di: 3,
  bp: 4,
  sp: 5,
  r10: 6,
  r13: 7,
  bpIndirect: 8,
  spIndirect: 9,
} as const;
const baseRegister = new Map<number, string>([
  [base.dx, 'rdx'],
  [base.di, 'rdi'],
  [base.bp, 'rbp'],
  [base.sp, 'rsp'],
  [base.r10, 'r10'],
  [base.r13, 'r13'],
  [base.bpIndirect, 'rbp'],
  [base.spIndirect, 'rsp'],
]);
const isPlusOffset: ReadonlySet<number> = new Set([base.sp, base.bp, base.bpIndirect]);

type Kind = 'unknown' | 'end' | 'call' | 'registers' | 'interrupt';
/** Before Linux 6.4 an entry has a flag for the end of stacks beside its two bits of type. */
const oldEnd = 0x400;
const oldKinds: readonly Kind[] = ['call', 'registers', 'interrupt', 'interrupt'];
/** Since then, with `.orc_header`, three bits: undefined, end of stack, call, all registers, interrupt frame. */
const newKinds: readonly Kind[] = ['unknown', 'end', 'call', 'registers', 'interrupt'];

/** `struct pt_regs`, in the order of memory. */
const savedRegisters = 'r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi'.split(' ');
/** Of `ip` in it, behind orig_ax: what the processor pushes begins there. */
const interruptFrameAt = 16 * 8;
const interruptFrame = ['rip', 'cs', 'eflags', 'rsp', 'ss'];

const entrySize = 6;

export class OrcTable {
  private readonly entries: DataView;
  private readonly starts: Float64Array;
  private readonly order: Uint32Array;
  private readonly kinds: readonly Kind[];

  private constructor(elf: ElfFile, places: ElfSection, entries: ElfSection, addresses: Addresses) {
    this.entries = viewOf(elf.bytes(entries));
    const view = viewOf(elf.bytes(places));
    const count = Math.min(Math.floor(view.byteLength / 4), Math.floor(this.entries.byteLength / entrySize));
    const origin = addresses.toDistance(places.address);
    const found = new Float64Array(count);
    // Each place counts from itself.
    for (let index = 0; index < count; index++) found[index] = origin + 4 * index + view.getInt32(4 * index, true);
    // Of a module the table is sorted only when it is loaded.
    this.order = sortedOrder(found);
    this.starts = this.order.length === 0 ? found : Float64Array.from(this.order, (index) => found[index] as number);
    const isNew = elf.sections.some(({ name }) => name === '.orc_header');
    this.kinds = isNew ? newKinds : oldKinds;
  }

  /** Undefined for an image without these tables. */
  static of(elf: ElfFile, addresses: Addresses): OrcTable | undefined {
    const places = elf.section('.orc_unwind_ip');
    const entries = elf.section('.orc_unwind');
    return places && entries && elf.wordSize === 8 ? new OrcTable(elf, places, entries, addresses) : undefined;
  }

  /** Undefined where the tables say nothing; without a `rip` where they say that the stack ends. */
  async unwind(frame: FrameContext, distance: number): Promise<CallerRegisters | undefined> {
    const entry = this.entryAt(distance);
    if (!entry) return undefined;
    const { spOffset, bpOffset, spBase, bpBase, kind } = entry;
    if (kind === 'end') return { cfa: 0n, registers: new Map(), interrupted: false };
    if (kind === 'unknown') return undefined;
    const from = frame.registers.get(baseRegister.get(spBase) ?? '');
    if (from === undefined) return undefined;
    const word = (address: bigint) => loadWord(frame.read, address, 8);
    let stack: bigint | undefined = isPlusOffset.has(spBase) ? from + spOffset : from;
    if (spBase === base.bpIndirect || spBase === base.spIndirect) stack = await word(stack);
    if (stack === undefined) return undefined;
    if (spBase === base.spIndirect) stack += spOffset;
    if (kind !== 'call') return interruptedAt(frame, stack, kind === 'registers');
    const address = await word(stack - 8n);
    if (address === undefined) return undefined;
    const registers = new Map<string, bigint>([
      ['rip', address],
      ['rsp', stack],
    ]);
    const pointer = frame.registers.get('rbp');
    const saved =
      bpBase === base.previousSp
        ? await word(stack + bpOffset)
        : bpBase === base.bp && pointer !== undefined
          ? await word(pointer + bpOffset)
          : pointer;
    if (saved !== undefined) registers.set('rbp', saved);
    return { cfa: stack, registers, interrupted: false };
  }

  /** Whether the code there runs on another stack than its function's own, as handlers of interrupts do. */
  switchesStack(distance: number): boolean {
    return this.entryAt(distance)?.spBase === base.spIndirect;
  }

  private entryAt(distance: number) {
    const index = lastAtMost(this.starts.length, (at) => this.starts[at] as number, distance);
    if (index < 0) return undefined;
    const at = (this.order[index] as number) * entrySize;
    const bits = this.entries.getUint16(at + 4, true);
    const isNew = this.kinds === newKinds;
    const withoutBase = (bits & 0xf) === base.undefined && !isNew;
    const kind = withoutBase ? (bits & oldEnd ? 'end' : 'unknown') : this.kinds[(bits >> 8) & (isNew ? 7 : 3)];
    return {
      spOffset: BigInt(this.entries.getInt16(at, true)),
      bpOffset: BigInt(this.entries.getInt16(at + 2, true)),
      spBase: bits & 0xf,
      bpBase: (bits >> 4) & 0xf,
      kind: kind ?? 'unknown',
    };
  }
}

/** The registers that an interrupt or system call found, of which entry code has saved all or those the processor saves. */
async function interruptedAt(frame: FrameContext, at: bigint, all: boolean): Promise<CallerRegisters | undefined> {
  const names = all ? [...savedRegisters, undefined, ...interruptFrame] : interruptFrame;
  const bytes = await frame.read(at, 8 * names.length);
  if (bytes.length < 8 * names.length) return undefined;
  const view = viewOf(bytes);
  const registers = new Map(all ? [] : frame.registers);
  names.forEach((name, index) => {
    if (name !== undefined) registers.set(name, view.getBigUint64(8 * index, true));
  });
  return { cfa: at + BigInt(all ? interruptFrameAt + 40 : 40), registers, interrupted: true };
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
