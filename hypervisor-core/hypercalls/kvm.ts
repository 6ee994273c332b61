/**
 * KVM's hypercalls (linux/kvm_para.h): VMCALL or VMMCALL with the number in RAX and arguments in RBX, RCX, RDX, RSI. The
 * kernel answers them itself, but for those whose instruction was found in the guest's code and leads to Ringside.
 * CPUID leaves come from the kernel, too.
 */

import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import type { Call, CallRegisters, Description, HypercallAbi } from './abi.ts';
import { errorText, namedArguments } from './describe.ts';
import { answerKvm } from './kvm-answers.ts';

const ENOSYS = 1000;

/** KVM_HC_*. */
const calls: Readonly<Record<number, { readonly name: string; readonly arguments: readonly string[] }>> = {
  1: { name: 'VAPIC_POLL_IRQ', arguments: [] },
  2: { name: 'MMU_OP', arguments: ['bytes', 'buffer'] },
  3: { name: 'FEATURES', arguments: [] },
  4: { name: 'PPC_MAP_MAGIC_PAGE', arguments: [] },
  5: { name: 'KICK_CPU', arguments: ['flags', 'apicid'] },
  6: { name: 'MIPS_GET_CLOCK_FREQ', arguments: [] },
  7: { name: 'MIPS_EXIT_VM', arguments: [] },
  8: { name: 'MIPS_CONSOLE_OUTPUT', arguments: [] },
  9: { name: 'CLOCK_PAIRING', arguments: ['address', 'clock_type'] },
  10: { name: 'SEND_IPI', arguments: ['ipi_bitmap_low', 'ipi_bitmap_high', 'min', 'icr'] },
  11: { name: 'SCHED_YIELD', arguments: ['apicid'] },
  12: { name: 'MAP_GPA_RANGE', arguments: ['address', 'pages', 'attributes'] },
};

const errors: Readonly<Record<number, string>> = {
  1: 'EPERM',
  7: 'E2BIG',
  14: 'EFAULT',
  95: 'EOPNOTSUPP',
  [ENOSYS]: 'ENOSYS',
};

export const kvm: HypercallAbi = {
  name: 'kvm',
  cpuid: () => [],
  msrs: () => [],
  readMsr: () => undefined,
  writeMsr: () => false,
  decode({ rax, rbx, rcx, rdx, rsi, longMode, cpl }: CallRegisters): Call {
    const cut = (value: bigint) => (longMode ? value : BigInt.asUintN(32, value));
    return { number: cut(rax), arguments: [rbx, rcx, rdx, rsi].map(cut), cpl, wordBytes: longMode ? 8 : 4 };
  },
  answer: answerKvm,
  results: (result, longMode) => ({ rax: longMode ? result : BigInt.asUintN(32, result) }),
  describe(event: HypercallEvent): Description {
    const call = event.number < 64n ? calls[Number(event.number)] : undefined;
    const result = errorText(event.result, errors);
    return {
      name: call ? `KVM_HC_${call.name}` : `hypercall ${event.number}`,
      arguments: namedArguments(call?.arguments ?? ['a0', 'a1', 'a2', 'a3'], event.arguments),
      ...(result !== undefined && { resultText: result }),
    };
  },
};
