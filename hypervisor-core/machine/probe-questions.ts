/** The questions of the host probe, each asked by a few bytes of code in a {@link ProbeVm}. */
import { KVM } from '../kvm/abi.ts';
import type { Kvm } from '../kvm/kvm.ts';
import type { HostFact, HostReport, TrapKind } from '../protocol/inspect.ts';
import { without } from './cpuid.ts';
import { HIDDEN, hidesFeatures, keepsInService, keepsIopl, pagesIn32Bits } from './probe-platform.ts';
import { CODE, DATA, DONE, done, ProbeVm } from './probe-vm.ts';

const NOP = 0x90;
const POPCNT_EAX_EAX = [0xf3, 0x0f, 0xb8, 0xc0];
const VMCALL = [0x0f, 0x01, 0xc1];
const MOV_BYTE_AT_RBX_1 = [0xc6, 0x03, 0x01];
/** lidt [rbx]; ud2: the descriptor at {@link DATA} has no room for a gate. */
const FAULT_WITHOUT_IDT = [0x0f, 0x01, 0x1b, 0x0f, 0x0b];
const UD2_AT = 3;

const answer = (yes: boolean) => (yes ? 'yes' : 'no');

const SW_BP = KVM.GUESTDBG_ENABLE | KVM.GUESTDBG_USE_SW_BP;
const HW_BP = KVM.GUESTDBG_ENABLE | KVM.GUESTDBG_USE_HW_BP;
const STEP = KVM.GUESTDBG_ENABLE | KVM.GUESTDBG_SINGLESTEP;

interface Question {
  readonly id: string;
  readonly question: string;
  readonly ask: (vm: ProbeVm) => string;
  readonly consequence: (answer: string) => string | undefined;
}

const run = (vm: ProbeVm, code: readonly number[], cpl: 0 | 3 = 0, control = 0, dr0?: bigint, dr7 = 0x400n) => {
  vm.prepare(code, cpl);
  if (control) vm.setDebug({ control, addresses: dr0 === undefined ? [] : [dr0], dr7 });
  return vm.run();
};

/** What becomes of a one-byte trap: how it leaves the guest, or which vector the guest takes. */
function trap(vm: ProbeVm, byte: number, control: number): string {
  const exit = run(vm, [NOP, byte, NOP, ...DONE], 0, control);
  if (exit.kind === 'debug' || exit.kind === 'emulation-failure') return 'yes';
  return exit.kind === 'vector' ? `guest vector ${exit.vector}` : exit.kind;
}

const stepsTo = (vm: ProbeVm, cpl: 0 | 3) => {
  const exit = run(vm, [NOP, NOP, ...DONE], cpl, STEP);
  return answer(exit.kind === 'debug' && exit.pc === BigInt(CODE + 1));
};

const when = (wanted: string, words: string) => (given: string) => (given === wanted ? words : undefined);

const questions: readonly Question[] = [
  {
    id: 'emulated-supervisor',
    question: 'Is supervisor code interpreted by KVM instead of run by the processor?',
    ask: (vm) => answer(run(vm, [...POPCNT_EAX_EAX, ...DONE]).kind === 'emulation-failure'),
    consequence: when(
      'yes',
      'CPUID hides what the interpreter lacks; kernels run at about a million instructions a second.',
    ),
  },
  {
    id: 'trap-int3',
    question: 'Does INT3 (CC) leave the guest?',
    ask: (vm) => trap(vm, 0xcc, SW_BP),
    consequence: () => undefined,
  },
  {
    id: 'trap-icebp',
    question: 'Does ICEBP (F1) leave the guest?',
    ask: (vm) => trap(vm, 0xf1, 0),
    consequence: () => undefined,
  },
  {
    id: 'execute-registers',
    question: 'Do execute breakpoints in debug registers fire?',
    ask: (vm) => answer(run(vm, [NOP, NOP, ...DONE], 0, HW_BP, BigInt(CODE + 1), 0x402n).kind === 'debug'),
    consequence: when('no', 'Hardware breakpoints are refused.'),
  },
  {
    id: 'data-registers',
    question: 'Do data breakpoints in debug registers fire?',
    ask: (vm) =>
      answer(run(vm, [...MOV_BYTE_AT_RBX_1, NOP, ...DONE], 0, HW_BP, BigInt(DATA), 0x10402n).kind === 'debug'),
    consequence: when('no', 'Writes are watched by write-protected pages; reads cannot be watched.'),
  },
  {
    id: 'singlestep-cpl0',
    question: 'Does a single step at CPL 0 stop after one instruction?',
    ask: (vm) => stepsTo(vm, 0),
    consequence: () => undefined,
  },
  {
    id: 'singlestep-cpl3',
    question: 'Does a single step at CPL 3 stop after one instruction?',
    ask: (vm) => stepsTo(vm, 3),
    consequence: when('no', "User code is stepped through the guest's own debug exception."),
  },
  {
    id: 'trap-cpl3',
    question: 'Does the trap byte leave the guest at CPL 3?',
    ask: (vm) => {
      const exit = run(vm, [NOP, 0xcc, NOP, ...DONE], 3, SW_BP);
      return answer(exit.kind === 'debug' || exit.kind === 'emulation-failure');
    },
    consequence: when('no', "Breakpoints in user code go through the guest's own INT3 handler."),
  },
  {
    id: 'vmcall-returns',
    question: 'Does a VMCALL come back to the guest?',
    ask: (vm) => answer(done(run(vm, [...VMCALL, ...DONE]))),
    consequence: when('no', "KVM's CPUID leaves are hidden, so that guests make no such calls."),
  },
  {
    id: 'hidden-features',
    question: 'Do guests lack the processor features that are hidden from them?',
    ask: (vm) => answer(hidesFeatures(vm)),
    consequence: when('no', 'Guests find most features of this processor, hidden ones, too.'),
  },
  {
    id: 'interrupts-in-service',
    question: 'Is an interrupt in service until its end of interrupt (EOI)?',
    ask: (vm) => answer(keepsInService(vm)),
    consequence: when('no', 'This KVM ends interrupts as it delivers them: handlers can be interrupted by any vector.'),
  },
  {
    id: 'user-iopl',
    question: 'Is IOPL kept in user code?',
    ask: (vm) => answer(keepsIopl(vm)),
    consequence: when('no', "User code gets at the ports of the TSS's I/O map alone."),
  },
  {
    id: 'paging-32',
    question: 'Can guests use 32-bit and PAE page tables?',
    ask: (vm) => answer(pagesIn32Bits(vm)),
    consequence: when(
      'no',
      'A guest that turns on such paging gets a general protection fault, mostly a triple fault.',
    ),
  },
  {
    id: 'shutdown-keeps-registers',
    question: 'Are the registers kept at a triple fault?',
    ask: (vm) => {
      const exit = run(vm, [...FAULT_WITHOUT_IDT, ...DONE]);
      return answer(exit.kind === 'other' && exit.reason === KVM.EXIT_SHUTDOWN && vm.pc === BigInt(CODE + UD2_AT));
    },
    consequence: when(
      'no',
      'This processor loses them, and KVM resets the vCPU: a triple fault shows the state after INIT.',
    ),
  },
];

/** Asks all questions; a few milliseconds each. */
export function factsOf(kvm: Kvm): HostFact[] {
  const flags = kvm.capability(KVM.CAP_SET_GUEST_DEBUG2);
  const known: HostFact[] = [
    {
      id: 'block-interrupts',
      question: 'Can interrupts be held off during a single step?',
      answer: answer((flags & KVM.GUESTDBG_BLOCKIRQ) !== 0),
    },
    {
      id: 'msr-filter',
      question: 'Can MSR accesses be sent to user space?',
      answer: answer(kvm.capability(KVM.CAP_X86_MSR_FILTER) > 0 && kvm.capability(KVM.CAP_X86_USER_SPACE_MSR) > 0),
    },
  ];
  const hyperv = kvm.capability(KVM.CAP_HYPERV) > 0 && kvm.capability(KVM.CAP_HYPERV_SYNIC2) > 0;
  known.push({
    id: 'hyperv-msrs',
    question: "Does KVM keep Hyper-V's timers, messages and reference time?",
    answer: answer(hyperv),
    ...(!hyperv && { consequence: 'Guests that see Hyper-V get its hypercalls and a reference counter alone.' }),
  });
  const vm = new ProbeVm(
    kvm,
    kvm.supportedCpuid().map((entry) => without(entry, [HIDDEN])),
  );
  try {
    vm.prepare([NOP, ...DONE], 0);
    vm.warmUp();
    for (const { id, question, ask, consequence } of questions) {
      const given = ask(vm);
      const words = consequence(given);
      known.push({ id, question, answer: given, ...(words && { consequence: words }) });
    }
  } finally {
    vm.close();
  }
  return known;
}

/** The trap byte to plant: the processor's own breakpoint where it leaves the guest, and what does else. */
export function trapOf(facts: readonly HostFact[]): HostReport['trap'] {
  const yes = (id: string) => facts.some((fact) => fact.id === id && fact.answer === 'yes');
  const emulated = yes('emulated-supervisor');
  const order: readonly (readonly [TrapKind, boolean])[] = [
    ['int3', yes('trap-int3') && !emulated],
    ['icebp', yes('trap-icebp')],
    // A port access always leaves the guest.
    ['in-dx', true],
  ];
  return order.find(([, works]) => works)?.[0] ?? 'none';
}
