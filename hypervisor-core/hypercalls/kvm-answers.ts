/**
 * KVM's own calls, answered as the kernel does (arch/x86/kvm/x86.c, Documentation/virt/kvm/x86/hypercalls.rst): for those
 * that come to us instead of to it.
 */
import type { Answer, Call, Platform } from './abi.ts';
import { negative } from './describe.ts';

const EPERM = 1;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const ENOSYS = 1000;
const HC = { vapicPollIrq: 1, kickCpu: 5, clockPairing: 9, sendIpi: 10, schedYield: 11 };
/** Interrupt command: bits that a destination or a shorthand would be in, vector, delivery mode. */
const ICR = { destinationOrShorthand: 0xc_0800n, vector: 0xffn, deliveryShift: 8n };
/** The delivery mode by which KVM wakes a halted vCPU. */
const REMOTE_READ = 3;

const failed = (error: number): Answer => ({ result: negative(error) });

export function answerKvm(call: Call, platform: Platform): Answer {
  if (call.cpl !== 0) return failed(EPERM);
  const apicId = Number(BigInt.asUintN(32, call.arguments[call.number === BigInt(HC.kickCpu) ? 1 : 0] ?? 0n));
  switch (call.number < 64n ? Number(call.number) : 0) {
    case HC.vapicPollIrq:
    case HC.schedYield:
      return { result: 0n };
    case HC.kickCpu:
      if (apicId < platform.cpus) platform.interrupt(apicId, 0, REMOTE_READ);
      return { result: 0n };
    case HC.clockPairing:
      return failed(EOPNOTSUPP);
    case HC.sendIpi:
      return sendIpi(call, platform);
    default:
      return failed(ENOSYS);
  }
}

/** Two bitmaps of local APICs from `min` on, and an interrupt command; gives how many took it. */
function sendIpi(
  { arguments: [low = 0n, high = 0n, min = 0n, icr = 0n], wordBytes }: Call,
  platform: Platform,
): Answer {
  if (icr & ICR.destinationOrShorthand) return failed(EINVAL);
  const bits = BigInt(wordBytes * 8);
  const vector = Number(icr & ICR.vector);
  const mode = Number((icr >> ICR.deliveryShift) & 7n);
  const bitmap = low | (high << bits);
  const first = BigInt.asUintN(32, min);
  let taken = 0n;
  for (let index = 0n; index < BigInt(platform.cpus); index++) {
    const bit = index - first;
    if (bit < 0n || bit >= 2n * bits || ((bitmap >> bit) & 1n) === 0n) continue;
    if (platform.interrupt(Number(index), vector, mode)) taken++;
  }
  return { result: taken };
}
