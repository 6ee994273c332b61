/**
 * The pages that a vCPU shares with the kernel (struct kvm_run), mapped over a page of shared WebAssembly memory so that
 * every thread sees them as plain JavaScript memory. Electron forbids buffers over foreign memory; this needs none.
 */
import { KVM, OFFSET, SIZE } from './abi.ts';
import { addressOf, mapAnonymousAt, mapSharedAt } from './libc.ts';

const at = OFFSET.kvm_run;
const REGS = at.s + OFFSET.kvm_sync_regs.regs;
const SREGS = at.s + OFFSET.kvm_sync_regs.sregs;
const EVENTS = at.s + OFFSET.kvm_sync_regs.events;
const COPIES = {
  regs: { bit: KVM.SYNC_X86_REGS, start: REGS, size: SIZE.kvm_regs },
  sregs: { bit: KVM.SYNC_X86_SREGS, start: SREGS, size: SIZE.kvm_sregs },
} as const;

/** Bytes set apart for one vCPU's kvm_run, a WebAssembly page; KVM uses 12 KiB of it. */
export const RUN_PAGE_STRIDE = 65536;

/** The part of the WebAssembly interface that is used here; TypeScript has it only with the browser's types. */
declare const WebAssembly: {
  readonly Memory: new (pages: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
};

/** Memory for the run pages of `count` vCPUs, at {@link RUN_PAGE_STRIDE} from each other; its place never moves. */
export function allocateRunPages(count: number): SharedArrayBuffer {
  return new WebAssembly.Memory({ initial: count, maximum: count, shared: true }).buffer;
}

/** Maps kvm_run of `vcpuFd` into `memory`. Undo it with {@link unmapRunPage} before the memory is given up. */
export function mapRunPage(memory: SharedArrayBuffer, offset: number, vcpuFd: number, bytes: number): void {
  mapSharedAt('mapping kvm_run', addressOf(new Uint8Array(memory, offset, bytes)), vcpuFd, bytes);
}

/** Puts ordinary memory back in the place of kvm_run. */
export function unmapRunPage(memory: SharedArrayBuffer, offset: number, bytes: number): void {
  mapAnonymousAt('unmapping kvm_run', addressOf(new Uint8Array(memory, offset, bytes)), bytes);
}

/** A general register in the copy that KVM_CAP_SYNC_REGS keeps beside the exit. */
export type SyncRegister = keyof typeof OFFSET.kvm_regs;

/** A string or single access to ports, as KVM_EXIT_IO gives it. */
export interface PortAccess {
  readonly write: boolean;
  /** 1, 2 or 4 bytes an item. */
  readonly size: number;
  readonly port: number;
  /** Items, more than one for string instructions. */
  readonly count: number;
  /** The items, to be read for an OUT and filled for an IN. */
  readonly data: DataView;
}

export class RunPage {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  /** The items of the last port access: the next one's have mostly the same place and size. */
  #items: DataView;

  constructor(memory: SharedArrayBuffer, offset: number, bytes: number) {
    this.#view = new DataView(memory, offset, bytes);
    this.#bytes = new Uint8Array(memory, offset, bytes);
    this.#items = new DataView(memory, offset, 0);
  }

  get exitReason(): number {
    return this.#view.getUint32(at.exit_reason, true);
  }

  set immediateExit(on: boolean) {
    this.#bytes[at.immediate_exit] = on ? 1 : 0;
  }

  /** Asks for the general registers to be copied here at every exit, and with `all` {@link sregs} and {@link events} too. */
  sync(all: boolean): void {
    const wanted = KVM.SYNC_X86_REGS | (all ? KVM.SYNC_X86_SREGS | KVM.SYNC_X86_EVENTS : 0);
    this.#view.setBigUint64(at.kvm_valid_regs, BigInt(wanted), true);
  }

  /** A copy of struct kvm_regs or kvm_sregs as it was at the last exit; undefined where {@link sync} did not ask for it. */
  copy(name: 'regs' | 'sregs'): DataView | undefined {
    const { bit, start, size } = COPIES[name];
    if ((this.#view.getUint32(at.kvm_valid_regs, true) & bit) === 0) return undefined;
    return new DataView(this.#bytes.slice(start, start + size).buffer);
  }

  /** struct kvm_sregs as it was at the last exit. */
  get sregs(): DataView {
    return new DataView(this.#view.buffer, this.#view.byteOffset + SREGS, SIZE.kvm_sregs);
  }

  /** struct kvm_vcpu_events as it was at the last exit. */
  get events(): DataView {
    return new DataView(this.#view.buffer, this.#view.byteOffset + EVENTS, SIZE.kvm_vcpu_events);
  }

  /** A general register as it was at the last exit. */
  register(name: SyncRegister): bigint {
    return this.#view.getBigUint64(REGS + OFFSET.kvm_regs[name], true);
  }

  /** Changes a general register before the next entry. */
  setRegister(name: SyncRegister, value: bigint): void {
    this.#view.setBigUint64(REGS + OFFSET.kvm_regs[name], value, true);
    this.#view.setBigUint64(at.kvm_dirty_regs, BigInt(KVM.SYNC_X86_REGS), true);
  }

  /** Corrects the copy of a register that has since been changed by KVM_SET_REGS. */
  noteRegister(name: SyncRegister, value: bigint): void {
    this.#view.setBigUint64(REGS + OFFSET.kvm_regs[name], value, true);
  }

  portAccess(): PortAccess {
    const size = this.#bytes[at['io.size']] ?? 0;
    const count = this.#view.getUint32(at['io.count'], true);
    const start = this.#view.byteOffset + this.#view.getUint32(at['io.data_offset'], true);
    if (this.#items.byteOffset !== start || this.#items.byteLength !== size * count) {
      this.#items = new DataView(this.#view.buffer, start, size * count);
    }
    return {
      write: this.#bytes[at['io.direction']] === KVM.EXIT_IO_OUT,
      size,
      port: this.#view.getUint16(at['io.port'], true),
      count,
      data: this.#items,
    };
  }

  mmioAccess(): { readonly write: boolean; readonly gpa: number; readonly data: Uint8Array } {
    const length = Math.min(8, this.#view.getUint32(at['mmio.len'], true));
    return {
      write: this.#bytes[at['mmio.is_write']] !== 0,
      gpa: Number(this.#view.getBigUint64(at['mmio.phys_addr'], true)),
      data: this.#bytes.subarray(at['mmio.data'], at['mmio.data'] + length),
    };
  }

  debugExit(): { readonly exception: number; readonly pc: bigint; readonly dr6: bigint } {
    return {
      exception: this.#view.getUint32(at['debug.arch.exception'], true),
      pc: this.#view.getBigUint64(at['debug.arch.pc'], true),
      dr6: this.#view.getBigUint64(at['debug.arch.dr6'], true),
    };
  }

  /** Suberror and, where KVM gives them, the bytes of the instruction that it could not emulate. */
  internalError(): { readonly suberror: number; readonly instruction: Uint8Array } {
    const HAS_INSTRUCTION_BYTES = 1n;
    const words = this.#view.getUint32(at['internal.ndata'], true);
    const flags = words > 0 ? this.#view.getBigUint64(at['emulation_failure.flags'], true) : 0n;
    const length = (flags & HAS_INSTRUCTION_BYTES) === 0n ? 0 : (this.#bytes[at['emulation_failure.insn_size']] ?? 0);
    const start = at['emulation_failure.insn_bytes'];
    return {
      suberror: this.#view.getUint32(at['internal.suberror'], true),
      instruction: this.#bytes.slice(start, start + Math.min(15, length)),
    };
  }

  get failEntryReason(): bigint {
    return this.#view.getBigUint64(at['fail_entry.hardware_entry_failure_reason'], true);
  }

  get systemEvent(): number {
    return this.#view.getUint32(at['system_event.type'], true);
  }

  get msrIndex(): number {
    return this.#view.getUint32(at['msr.index'], true);
  }

  get msrData(): bigint {
    return this.#view.getBigUint64(at['msr.data'], true);
  }

  /** Answers KVM_EXIT_X86_RDMSR with a value. */
  set msrData(value: bigint) {
    this.#view.setBigUint64(at['msr.data'], value, true);
  }

  /** True makes the access to the MSR raise #GP in the guest. */
  set msrError(error: boolean) {
    this.#bytes[at['msr.error']] = error ? 1 : 0;
  }
}
