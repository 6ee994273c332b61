/** KVM_SET_GUEST_DEBUG's arguments for one run of one vCPU. */
import { KVM } from '../kvm/abi.ts';
import type { GuestDebug } from '../kvm/vcpu.ts';
import type { DebugPlan, DebugRegister } from './debug-plan.ts';
import type { RunMode } from './mailbox.ts';
import type { DebugStrategy } from './strategy.ts';

const TYPE_BITS = { execute: 0, write: 1, access: 3 } as const;
const LENGTH_BITS: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 3, 8: 2 };
/** Bit 10 reads as 1. */
const DR7_FIXED = 0x400;

/** DR7 that enables the registers globally; Intel SDM vol. 3B 17.2.4. */
function dr7For(registers: readonly DebugRegister[]): bigint {
  const bits = registers.reduce((sum, { type, length }, position) => {
    const condition = TYPE_BITS[type] | ((LENGTH_BITS[length] ?? 0) << 2);
    return sum | (2 << (2 * position)) | (condition << (16 + 4 * position));
  }, DR7_FIXED);
  return BigInt(bits >>> 0);
}

/**
 * A step holds interrupts off where KVM can, unless it was asked not to; with `spared`, so does every other run. What KVM
 * has begun to deliver is delivered all the same.
 */
export function guestDebug(
  { trap, traps, registers }: DebugPlan,
  strategy: DebugStrategy,
  mode: RunMode,
  spared: boolean,
): GuestDebug {
  let control = 0;
  if (traps.size > 0 && trap?.kind === 'int3') control |= KVM.GUESTDBG_USE_SW_BP;
  if (registers.length > 0) control |= KVM.GUESTDBG_USE_HW_BP;
  if (mode.kind !== 'continue') control |= KVM.GUESTDBG_SINGLESTEP;
  const steps = mode.kind !== 'continue' && !mode.interrupts;
  if ((steps && strategy.blockInterrupts) || (spared && strategy.sparesInterrupts)) control |= KVM.GUESTDBG_BLOCKIRQ;
  return {
    control: control === 0 ? 0 : control | KVM.GUESTDBG_ENABLE,
    addresses: registers.map(({ address }) => address),
    dr7: dr7For(registers),
  };
}
