/**
 * Traps in user code on hosts where the trap byte does not leave the guest at CPL 3: there it raises an exception, so a
 * second trap stands at the guest's handler of that exception. A vCPU that runs into it with a frame from a planted trap,
 * or from a step by RFLAGS.TF, is put back to where the frame says, and the guest never knows. Long mode only.
 */
import { decodeIdt, IDT_ENTRY_BYTES, idtFormat } from '../interrupts/idt.ts';
import { OFFSET } from '../kvm/abi.ts';
import { hex } from '../protocol/hex.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { UserVector } from './strategy.ts';
import type { VirtualMemory } from './virtual-memory.ts';

const EFER_LMA = 1n << 10n;
const TRAP_FLAG = 1n << 8n;
const RESUME_FLAG = 1n << 16n;
const { sregs, segment } = { sregs: OFFSET.kvm_sregs, segment: OFFSET.kvm_segment };

/** What an exception in long mode pushes: Intel SDM vol. 3A 6.14.2. */
interface Frame {
  readonly rip: bigint;
  readonly cs: number;
  readonly rflags: bigint;
  readonly rsp: bigint;
  readonly ss: number;
}

/**
 * Linear address of the guest's handler of `vector`; undefined while it has none. Segments of protected mode are taken as
 * flat.
 */
export function handlerOf(vcpu: MachineVcpu, memory: VirtualMemory, vector: number): bigint | undefined {
  const { registers } = vcpu;
  const format = idtFormat(registers.get('cr0'), registers.get('efer'));
  const entry = IDT_ENTRY_BYTES[format];
  if (registers.get('idtr_limit') < BigInt((vector + 1) * entry - 1)) return undefined;
  const bytes = memory.read(vcpu, registers.get('idtr_base') + BigInt(vector * entry), entry);
  const [gate] = decodeIdt(format, bytes, entry - 1);
  return gate?.present ? gate.handler : undefined;
}

/** Vectors that the processor keeps for exceptions and NMI. */
const EXCEPTIONS = Array.from({ length: 32 }, (_, vector) => vector);

/** The guest's handlers, as {@link handlerOf} finds them, of `vector`, or of all exceptions; with their vectors. */
export function handlersOf(
  vcpu: MachineVcpu,
  memory: VirtualMemory,
  vector: number | undefined,
): ReadonlyMap<bigint, number> {
  const handlers = new Map<bigint, number>();
  for (const each of vector === undefined ? EXCEPTIONS : [vector]) {
    const handler = handlerOf(vcpu, memory, each);
    if (handler !== undefined) handlers.set(handler, each);
  }
  return handlers;
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

/** The frame of a vCPU that has just entered its handler; undefined when it did not come from CPL 3. */
function userFrame(vcpu: MachineVcpu, memory: VirtualMemory, errorCode: boolean): Frame | undefined {
  const FRAME_BYTES = 40;
  const at = vcpu.registers.get('rsp') + (errorCode ? 8n : 0n);
  const bytes = memory.read(vcpu, at, FRAME_BYTES);
  if (bytes.length < FRAME_BYTES) return undefined;
  const [rip = 0n, cs = 0n, rflags = 0n, rsp = 0n, ss = 0n] = new BigUint64Array(bytes.slice().buffer);
  if ((cs & 3n) !== 3n) return undefined;
  return { rip, cs: Number(cs & 0xffffn), rflags, rsp, ss: Number(ss & 0xffffn) };
}

function putBack(vcpu: MachineVcpu, frame: Frame, rip: bigint): void {
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
    flat(sregs.cs, frame.cs, 11, true);
    flat(sregs.ss, frame.ss, 3, false);
  });
  vcpu.registers.change('regs', (state) => {
    state.setBigUint64(OFFSET.kvm_regs.rip, rip, true);
    state.setBigUint64(OFFSET.kvm_regs.rsp, frame.rsp, true);
    state.setBigUint64(OFFSET.kvm_regs.rflags, frame.rflags & ~(TRAP_FLAG | RESUME_FLAG), true);
  });
}

/**
 * Looks at why a vCPU is in the handler. Gives the address of the planted trap that it came from, `stepped` after a step
 * by RFLAGS.TF, or undefined when the exception is the guest's own; in the first two cases it is back in user code.
 */
export function leaveGate(
  vcpu: MachineVcpu,
  memory: VirtualMemory,
  { errorCode }: UserVector,
  isPlanted: (address: bigint) => boolean,
): bigint | 'stepped' | undefined {
  const frame = userFrame(vcpu, memory, errorCode);
  if (!frame) return undefined;
  // A step raises the same exception as ICEBP, but with TF in the flags that it pushes.
  if ((frame.rflags & TRAP_FLAG) !== 0n) {
    putBack(vcpu, frame, frame.rip);
    return 'stepped';
  }
  // Some exceptions point at the trap byte, some behind it, and for ICEBP KVMs differ.
  const address = [frame.rip, frame.rip - 1n].find(isPlanted);
  if (address === undefined) return undefined;
  putBack(vcpu, frame, address);
  return address;
}

/** Has the processor raise #DB after the next instruction of user code. */
export function setTrapFlag(vcpu: MachineVcpu): void {
  vcpu.registers.put('eflags', vcpu.registers.get('eflags') | TRAP_FLAG);
}

/** Takes RFLAGS.TF back from a vCPU that stopped before its step was done. */
export function clearTrapFlag(vcpu: MachineVcpu): void {
  vcpu.registers.put('eflags', vcpu.registers.get('eflags') & ~TRAP_FLAG);
}

/** True at CPL 3 in 64-bit code. */
export function inUserCode(vcpu: MachineVcpu): boolean {
  const state = vcpu.registers.state('sregs');
  return state.getUint8(sregs.ss + segment.dpl) === 3 && state.getUint8(sregs.cs + segment.l) === 1;
}
