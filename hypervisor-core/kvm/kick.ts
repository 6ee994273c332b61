/**
 * How a thread is made to leave KVM_RUN: a real-time signal that it blocks everywhere but inside KVM_RUN. A signal that
 * comes too early stays pending and ends the next KVM_RUN at once, so none is lost; no handler ever runs.
 */
import { KVM } from './abi.ts';
import { blockSignals, deleteTimer, gettid, ioctl, takeSignal, tgkill, threadTimer } from './libc.ts';

/** A real-time signal that neither glibc nor node uses. */
const SIGNAL = 36;

const signalBit = 1n << BigInt(SIGNAL - 1);

function signalSet(bits: bigint): Uint8Array {
  const set = Buffer.alloc(128);
  set.writeBigUInt64LE(bits, 0);
  return set;
}

/** The receiving end, made on the vCPU's own thread. */
export class KickReceiver {
  readonly tid = gettid();
  readonly #set = signalSet(signalBit);
  readonly #zeroTime = new Uint8Array(16);
  readonly #timer: bigint;

  /** `heartbeat`: milliseconds after which KVM_RUN returns though nobody kicked, again and again. */
  constructor(vcpuFd: number, heartbeat: number) {
    const before = Buffer.from(blockSignals(this.#set)).readBigUInt64LE(0);
    const KERNEL_SIGSET_BYTES = 8;
    const mask = Buffer.alloc(4 + KERNEL_SIGSET_BYTES);
    mask.writeUInt32LE(KERNEL_SIGSET_BYTES, 0);
    mask.writeBigUInt64LE(before & ~signalBit, 4);
    ioctl('KVM_SET_SIGNAL_MASK', vcpuFd, KVM.SET_SIGNAL_MASK, mask);
    this.#timer = threadTimer(SIGNAL, heartbeat);
  }

  /** Eats what made KVM_RUN return, so that the next one can run. */
  take(): void {
    while (takeSignal(this.#set, this.#zeroTime));
  }

  /** Ends the heartbeat. The thread must be told to nobody as a target any more. */
  dispose(): void {
    deleteTimer(this.#timer);
    this.take();
  }
}

/** Makes KVM_RUN on the thread return, now or, when it is not inside, as soon as it is entered. */
export const kick = (tid: number): boolean => tgkill(tid, SIGNAL);
