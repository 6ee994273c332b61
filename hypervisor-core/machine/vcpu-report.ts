/** What a vCPU worker says to the main thread when it parks, and in between. */
import type { GuestEnd } from '../protocol/inspect.ts';

/** Why a vCPU came to rest. Registers are whole and nothing is half done when it is sent. */
export type VcpuReport =
  /** It was asked to stop. */
  | { readonly kind: 'interrupted' }
  /** The guest has loaded another IDT, or changed its gates, and traps depend on it. */
  | { readonly kind: 'idt-changed' }
  /** A call that is to be traced returns to an address where nothing is in place yet; the call has not been made. */
  | { readonly kind: 'call-returns'; readonly address: bigint }
  /** It cannot be interrupted with this vector, because the frame would go to a page that is watched for writes. */
  | { readonly kind: 'undelivered'; readonly vector: number }
  /** It could be interrupted, but interrupts are held off, because KVM would lose those whose frame it may not write. */
  | { readonly kind: 'interruptible' }
  /** It was let go in order to be interrupted, and has run on since. */
  | { readonly kind: 'delivered' }
  /** The step, or range step, is done. */
  | { readonly kind: 'stepped' }
  /** KVM_EXIT_DEBUG; `pc` is linear. */
  | { readonly kind: 'debug'; readonly exception: number; readonly pc: bigint; readonly dr6: bigint }
  /** It stands on a breakpoint whose condition was evaluated, and stops; `problem` when that went wrong. */
  | { readonly kind: 'breakpoint'; readonly pc: bigint; readonly problem?: string }
  /** The guest did what it was to be stopped on, and has done it: in words. */
  | { readonly kind: 'event'; readonly message: string }
  /** It ran into a planted port trap and stands on it. */
  | { readonly kind: 'trapped'; readonly pc: bigint }
  /** The write is done; the instruction too. */
  | { readonly kind: 'written'; readonly gpa: number; readonly size: number; readonly value: bigint }
  /** KVM could not emulate; RIP stands on the instruction. `instruction` may be empty. */
  | { readonly kind: 'emulation-failure'; readonly instruction: Uint8Array }
  | { readonly kind: 'internal-error'; readonly message: string }
  | { readonly kind: 'triple-fault' }
  | { readonly kind: 'end'; readonly end: GuestEnd };

export type WorkerMessage =
  /** The worker waits for its first order. */
  | { readonly type: 'ready' }
  | { readonly type: 'parked'; readonly report: VcpuReport }
  /** A breakpoint's command has printed something. */
  | { readonly type: 'printed'; readonly text: string }
  /** There are new bytes in the console ring. */
  | { readonly type: 'console' }
  /** A device has work for the main thread. */
  | { readonly type: 'work' };
