/**
 * Counts the exits of one vCPU on its worker, always; and writes each down while somebody traces. An exit is done when
 * the guest is entered again or the vCPU parks: then its duration is known, and what a read gave the guest.
 */
import { KVM } from '../kvm/abi.ts';
import type { ExitView } from '../kvm/exit-view.ts';
import { reasonNumber } from '../trace/exit-reasons.ts';
import type { RawExit } from '../trace/exit-ring.ts';
import { absoluteMicroseconds, type ExitMemory } from './exit-memory.ts';

const REASON = {
  portIn: reasonNumber('port-in'),
  portOut: reasonNumber('port-out'),
  mmioRead: reasonNumber('mmio-read'),
  mmioWrite: reasonNumber('mmio-write'),
  msrRead: reasonNumber('msr-read'),
  msrWrite: reasonNumber('msr-write'),
  kick: reasonNumber('kick'),
  other: reasonNumber('other'),
};

/** Exits without more to say than their reason. */
const plain: Readonly<Record<number, number>> = {
  [KVM.EXIT_HYPERCALL]: reasonNumber('hypercall'),
  [KVM.EXIT_HLT]: reasonNumber('halt'),
  [KVM.EXIT_DEBUG]: reasonNumber('debug'),
  [KVM.EXIT_SHUTDOWN]: reasonNumber('shutdown'),
  [KVM.EXIT_SYSTEM_EVENT]: reasonNumber('system-event'),
  [KVM.EXIT_INTERNAL_ERROR]: reasonNumber('internal-error'),
  [KVM.EXIT_FAIL_ENTRY]: reasonNumber('entry-failure'),
  [KVM.EXIT_INTR]: REASON.kick,
};

export class ExitRecorder {
  readonly #view: ExitView;
  readonly #memory: ExitMemory;
  readonly #exit: RawExit = {
    ...{ time: 0, duration: 0, reason: 0, ripLow: 0, ripHigh: 0, addressLow: 0, addressHigh: 0 },
    ...{ valueLow: 0, valueHigh: 0, size: 0, count: 0 },
  };
  #pending = false;
  #left = 0;
  #entered = 0;
  /** Guest time minus this thread's clock, microseconds. */
  #toGuestTime = 0;

  constructor(view: ExitView, memory: ExitMemory) {
    this.#view = view;
    this.#memory = memory;
  }

  /** The vCPU begins to run; `guestTime` in microseconds. */
  begin(guestTime: number): void {
    this.#toGuestTime = guestTime - absoluteMicroseconds();
  }

  /** To be called right before KVM_RUN. */
  entering(): void {
    const now = absoluteMicroseconds();
    if (this.#pending) this.#finish(now);
    this.#entered = now;
    this.#memory.enteredAt = now;
  }

  /** To be called right after KVM_RUN, before the exit is handled. `result` is 0 for an exit, negative for a signal. */
  left(result: number): void {
    const now = absoluteMicroseconds();
    this.#memory.enteredAt = 0;
    this.#memory.addInKvm(now - this.#entered);
    this.#left = now;
    this.#pending = true;
    this.#classify(result);
  }

  /** The exit at hand was no access to a port, but something that a port stands for. */
  was(reason: 'debug' | 'hypercall'): void {
    this.#exit.reason = reasonNumber(reason);
    this.#exit.addressLow = this.#exit.size = this.#exit.count = 0;
  }

  /** The vCPU rests. */
  parked(): void {
    if (this.#pending) this.#finish(absoluteMicroseconds());
  }

  #classify(result: number): void {
    const { reason } = this.#view;
    const exit = this.#exit;
    exit.ripLow = this.#view.ripLow;
    exit.ripHigh = this.#view.ripHigh;
    exit.addressLow = exit.addressHigh = exit.valueLow = exit.valueHigh = exit.size = exit.count = 0;
    if (result !== 0) exit.reason = REASON.kick;
    else if (reason === KVM.EXIT_IO) {
      exit.reason = this.#view.portIn ? REASON.portIn : REASON.portOut;
      exit.addressLow = this.#view.port;
      exit.size = this.#view.portSize;
      exit.count = this.#view.portCount;
    } else if (reason === KVM.EXIT_MMIO) {
      exit.reason = this.#view.mmioWrite ? REASON.mmioWrite : REASON.mmioRead;
      exit.addressLow = this.#view.mmioLow;
      exit.addressHigh = this.#view.mmioHigh;
      exit.size = this.#view.mmioSize;
      exit.count = 1;
    } else if (reason === KVM.EXIT_X86_RDMSR || reason === KVM.EXIT_X86_WRMSR) {
      exit.reason = reason === KVM.EXIT_X86_RDMSR ? REASON.msrRead : REASON.msrWrite;
      exit.addressLow = this.#view.msr;
      exit.size = 8;
      exit.count = 1;
    } else exit.reason = plain[reason] ?? REASON.other;
  }

  #finish(now: number): void {
    this.#pending = false;
    const exit = this.#exit;
    const { counters, ring, tracing } = this.#memory;
    const duration = now - this.#left;
    this.#memory.addInUser(duration);
    counters.add('reason', exit.reason, 0, 0, duration);
    if (exit.size > 0) counters.add('place', exit.reason, exit.addressLow, exit.addressHigh, duration);
    counters.add('rip', exit.reason, exit.ripLow, exit.ripHigh, duration);
    if (!tracing) return;
    exit.time = this.#left + this.#toGuestTime;
    exit.duration = duration;
    this.#takeValue();
    ring.add(exit);
  }

  /** What was written, or what the guest is given; it stays in kvm_run until the next entry. */
  #takeValue(): void {
    const exit = this.#exit;
    if (exit.reason === REASON.portIn || exit.reason === REASON.portOut) exit.valueLow = this.#view.portValue;
    else if (exit.reason === REASON.mmioRead || exit.reason === REASON.mmioWrite) {
      exit.valueLow = this.#view.mmioValueLow;
      exit.valueHigh = this.#view.mmioValueHigh;
    } else if (exit.reason === REASON.msrRead || exit.reason === REASON.msrWrite) {
      exit.valueLow = this.#view.msrValueLow;
      exit.valueHigh = this.#view.msrValueHigh;
    }
  }
}
