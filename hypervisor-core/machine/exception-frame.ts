/**
 * What a processor that takes an interrupt or exception goes through and leaves behind: the handler that the IDT names,
 * and the frame on its stack, from which the vCPU can be put back to where it came from. Intel SDM vol. 3A chapter 6.
 */
import { decodeIdt, IDT_ENTRY_BYTES, idtFormat } from '../interrupts/idt.ts';
import { OFFSET } from '../kvm/abi.ts';
import { hex } from '../protocol/hex.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { VirtualMemory } from './virtual-memory.ts';

const EFER_LMA = 1n << 10n;
export const TRAP_FLAG = 1n << 8n;
const RESUME_FLAG = 1n << 16n;
const { sregs, segment } = { sregs: OFFSET.kvm_sregs, segment: OFFSET.kvm_segment };

/** What an exception in long mode pushes: Intel SDM vol. 3A 6.14.2. */
export interface Frame {
  readonly rip: bigint;
  readonly cs: number;
  readonly rflags: bigint;
  readonly rsp: bigint;
  readonly ss: number;
}

/** Vectors of the processor's own, for exceptions and NMI, and of those that interrupt controllers send. */
export const EXCEPTIONS = { first: 0, last: 31 };
export const INTERRUPTS = { first: 32, last: 255 };

/**
 * Linear address of the guest's handler of `vector`; undefined while it has none. Segments of protected mode are taken as
 * flat.
 */
export function handlerOf(vcpu: MachineVcpu, memory: VirtualMemory, vector: number): bigint | undefined {
  const [handler] = handlersOf(vcpu, memory, { first: vector, last: vector }).keys();
  return handler;
}

/** The guest's handlers, as {@link handlerOf} finds them, of the vectors from `first` to `last`; with their vectors. */
export function handlersOf(
  vcpu: MachineVcpu,
  memory: VirtualMemory,
  { first, last }: { readonly first: number; readonly last: number },
): ReadonlyMap<bigint, number> {
  const { registers } = vcpu;
  const format = idtFormat(registers.get('cr0'), registers.get('efer'));
  const entry = IDT_ENTRY_BYTES[format];
  const end = Math.min((last + 1) * entry, Number(registers.get('idtr_limit')) + 1);
  const length = Math.max(0, end - first * entry);
  const bytes = memory.read(vcpu, registers.get('idtr_base') + BigInt(first * entry), length);
  const gates = decodeIdt(format, bytes, length - 1).filter(({ present }) => present);
  return new Map(gates.map(({ vector, handler }) => [handler, first + vector]));
}

/** Exceptions that push an error code: Intel SDM vol. 3A table 6-1. */
const WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);

/** Where the exception came from and its error code, in words, as a vCPU in long mode that enters its handler has them. */
export function frameText(vcpu: MachineVcpu, memory: VirtualMemory, vector: number): string {
  if ((vcpu.registers.get('efer') & EFER_LMA) === 0n) return '';
  const bytes = memory.read(vcpu, vcpu.registers.get('rsp'), 16);
  if (bytes.length < 16) return '';
  const [top = 0n, next = 0n] = new BigUint64Array(bytes.slice().buffer);
  return WITH_ERROR_CODE.has(vector) ? ` with error code ${hex(top)} at ${hex(next)}` : ` at ${hex(top)}`;
}

/**
 * Takes RFLAGS.TF out of the frame of a vCPU that has just entered the handler of an exception: it is there when the
 * instruction that raised it was stepped, and would have the guest stepped once its handler is done. Flat segments only.
 */
export function clearFrameTrapFlag(vcpu: MachineVcpu, memory: VirtualMemory, vector: number): void {
  const { registers } = vcpu;
  const format = idtFormat(registers.get('cr0'), registers.get('efer'));
  if (format === 'real') return;
  const below = WITH_ERROR_CODE.has(vector) ? 3 : 2;
  const flags = registers.get('rsp') + BigInt(below * (format === 'long' ? 8 : 4));
  const TRAP_FLAG_BYTE = 1n;
  const [byte = 0] = memory.read(vcpu, flags + TRAP_FLAG_BYTE, 1);
  const cleared = byte & ~Number(TRAP_FLAG >> 8n);
  if (cleared !== byte) memory.write(vcpu, flags + TRAP_FLAG_BYTE, Uint8Array.of(cleared));
}

/** The frame, in long mode, of a vCPU that has just entered its handler of `vector`; undefined when it cannot be read. */
export function frameOf(vcpu: MachineVcpu, memory: VirtualMemory, vector: number): Frame | undefined {
  const FRAME_BYTES = 40;
  const at = vcpu.registers.get('rsp') + (WITH_ERROR_CODE.has(vector) ? 8n : 0n);
  const bytes = memory.read(vcpu, at, FRAME_BYTES);
  if (bytes.length < FRAME_BYTES) return undefined;
  const [rip = 0n, cs = 0n, rflags = 0n, rsp = 0n, ss = 0n] = new BigUint64Array(bytes.slice().buffer);
  return { rip, cs: Number(cs & 0xffffn), rflags, rsp, ss: Number(ss & 0xffffn) };
}

export const fromUser = ({ cs }: Frame): boolean => (cs & 3) === 3;

/** Puts a vCPU in a handler of long mode back to before the frame was pushed, at `rip`, and takes RFLAGS.TF from it. */
export function putBack(vcpu: MachineVcpu, frame: Frame, rip = frame.rip): void {
  if (fromUser(frame)) enterUserSegments(vcpu, frame);
  vcpu.registers.change('regs', (state) => {
    state.setBigUint64(OFFSET.kvm_regs.rip, rip, true);
    state.setBigUint64(OFFSET.kvm_regs.rsp, frame.rsp, true);
    state.setBigUint64(OFFSET.kvm_regs.rflags, frame.rflags & ~(TRAP_FLAG | RESUME_FLAG), true);
  });
}

/** The handler's segments are those of a frame from CPL 0 already. */
function enterUserSegments(vcpu: MachineVcpu, { cs, ss }: Frame): void {
  vcpu.registers.change('sregs', (state) => {
    const flat = (start: number, selector: number, type: number, long: boolean) => {
      state.setBigUint64(start + segment.base, 0n, true);
      state.setUint32(start + segment.limit, 0xffff_ffff, true);
      state.setUint16(start + segment.selector, selector, true);
      const bytes = { type, present: 1, dpl: 3, db: long ? 0 : 1, s: 1, l: long ? 1 : 0, g: 1, avl: 0, unusable: 0 };
      for (const [field, value] of Object.entries(bytes)) {
        state.setUint8(start + segment[field as keyof typeof bytes], value);
      }
    };
    flat(sregs.cs, cs, 11, true);
    flat(sregs.ss, ss, 3, false);
  });
}
