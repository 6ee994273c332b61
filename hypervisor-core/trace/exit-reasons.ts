/** Why a vCPU left KVM_RUN for user space, by number as the shared memory holds it. */
import type { ExitReason } from '../protocol/inspect.ts';

export const EXIT_REASONS = [
  'port-in',
  'port-out',
  'mmio-read',
  'mmio-write',
  'msr-read',
  'msr-write',
  'hypercall',
  'halt',
  'debug',
  'shutdown',
  'system-event',
  'internal-error',
  'entry-failure',
  'kick',
  'other',
] as const satisfies readonly ExitReason[];

export const reasonNumber = (reason: ExitReason): number => EXIT_REASONS.indexOf(reason);
