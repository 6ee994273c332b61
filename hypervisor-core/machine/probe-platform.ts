/** What the host probe asks of processor and local APIC beyond the way out of the guest. */
import { protectedMode } from '../boot/cpu-state.ts';
import { LAPIC_REGISTER } from '../interrupts/lapic.ts';
import { cpuFeature } from '../protocol/cpu-features.ts';
import { CODE, DONE, done, GDT, type ProbeVm, STACK } from './probe-vm.ts';

/** SSE3, a bit of ECX: no probe needs it. */
export const HIDDEN = cpuFeature('pni');

/** mov eax, 1; cpuid */
const CPUID_1 = [0xb8, 1, 0, 0, 0, 0x0f, 0xa2];

/** Whether CPUID is without {@link HIDDEN}, for user code, too. */
export const hidesFeatures = (vm: ProbeVm): boolean =>
  ([0, 3] as const).every((cpl) => {
    vm.prepare([...CPUID_1, ...DONE], cpl);
    return done(vm.run()) && ((vm.register('rcx') >> BigInt(HIDDEN.bit)) & 1n) === 0n;
  });

/** pushfq; pop rax */
const FLAGS_TO_RAX = [0x9c, 0x58];
const IOPL_3 = 0x3000n;

/** Whether user code has the IOPL that it was entered with. */
export function keepsIopl(vm: ProbeVm): boolean {
  vm.prepare([...FLAGS_TO_RAX, ...DONE], 3);
  return done(vm.run()) && (vm.register('rax') & IOPL_3) === IOPL_3;
}

const STI = 0xfb;
const JUMP_TO_ITSELF = [0xeb, 0xfe];
const SVR_ENABLED = 1 << 8;
/** The highest vector that the probe's IDT has; those from 16 on are the local APIC's. */
const VECTOR = 31;

/** Whether the ISR holds an interrupt whose handler runs. Intel SDM vol. 3A 11.8.4. */
export function keepsInService(vm: ProbeVm): boolean {
  const before = vm.vcpu.lapic();
  const requested = Buffer.from(before);
  requested.writeUInt32LE(SVR_ENABLED, LAPIC_REGISTER.svr);
  requested.writeUInt32LE((1 << VECTOR) >>> 0, LAPIC_REGISTER.irr);
  vm.prepare([STI, ...JUMP_TO_ITSELF], 0);
  vm.vcpu.setLapic(requested);
  const exit = vm.run();
  const inService = Buffer.from(vm.vcpu.lapic()).readUInt32LE(LAPIC_REGISTER.isr) === (1 << VECTOR) >>> 0;
  vm.vcpu.setLapic(before);
  return exit.kind === 'vector' && exit.vector === VECTOR && inService;
}

const PAGE_DIRECTORY = 0x8000;
const POINTERS = 0x9000;
const PAE_DIRECTORY = 0xa000;
const PRESENT = 1n;
/** Present, writable, and a page of 4 MiB or 2 MiB. */
const LARGE_PAGE = 0x83n;
const CR4 = { pse: 0x10n, pae: 0x20n };
/** mov eax, cr0; or eax, 0x80000000; mov cr0, eax */
const PAGING_ON = [0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0];

/** Whether a guest gets through switching on both kinds of paging that protected mode has. Intel SDM vol. 3A 4.1.1. */
export function pagesIn32Bits(vm: ProbeVm): boolean {
  const entry = (at: number, value: bigint) => vm.ram.write(at, new Uint8Array(BigUint64Array.of(value).buffer));
  entry(PAGE_DIRECTORY, LARGE_PAGE);
  entry(POINTERS, BigInt(PAE_DIRECTORY) | PRESENT);
  entry(PAE_DIRECTORY, LARGE_PAGE);
  const general = { rip: BigInt(CODE), rsp: BigInt(STACK), rflags: 2n };
  const unpaged = protectedMode({ general, gdt: BigInt(GDT) });
  const comesThrough = (cr3: number, cr4: bigint) => {
    vm.load([...PAGING_ON, ...DONE], { ...unpaged, cr3: BigInt(cr3), cr4 });
    return done(vm.run());
  };
  return comesThrough(PAGE_DIRECTORY, CR4.pse) && comesThrough(POINTERS, CR4.pae);
}
