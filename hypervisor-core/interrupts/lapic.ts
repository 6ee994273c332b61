/** Decodes `struct kvm_lapic_state`: the local APIC's register page. Intel SDM vol. 3A chapter 11, table 11-1. */
import { hex } from '../protocol/hex.ts';
import type { LapicState, LvtEntry } from '../protocol/inspect.ts';

/** Offsets in the register page. */
export const LAPIC_REGISTER = {
  id: 0x20,
  version: 0x30,
  tpr: 0x80,
  ppr: 0xa0,
  ldr: 0xd0,
  dfr: 0xe0,
  svr: 0xf0,
  isr: 0x100,
  tmr: 0x180,
  irr: 0x200,
  esr: 0x280,
  icrLow: 0x300,
  icrHigh: 0x310,
  timer: 0x320,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
};

const LVT: readonly (readonly [LvtEntry['name'], number])[] = [
  ['CMCI', 0x2f0],
  ['Timer', 0x320],
  ['Thermal', 0x330],
  ['PerfMon', 0x340],
  ['LINT0', 0x350],
  ['LINT1', 0x360],
  ['Error', 0x370],
];
/** Version register bits 23:16: the highest entry. CMCI is the seventh. */
const CMCI_ENTRY = 6;

/** Delivery modes of the ICR, LVT and I/O APIC. */
export const deliveryModes = ['fixed', 'lowest priority', 'SMI', 'reserved', 'NMI', 'INIT', 'SIPI', 'ExtINT'];
/** What an undivided count takes, in nanoseconds: KVM's and QEMU's local APIC have a bus of 1 GHz. */
const BUS_CYCLE = 1;
const timerModes = ['one-shot', 'periodic', 'tsc-deadline', 'one-shot'] as const;

const BASE_ENABLED = 1n << 11n;
const BASE_X2APIC = 1n << 10n;
const SVR_ENABLED = 1 << 8;

/** `apicBase` is the IA32_APIC_BASE MSR. Throws a `RangeError` when the bytes are no register page. */
export function decodeLapic(page: Uint8Array, apicBase: bigint): LapicState {
  if (page.length < 0x400) throw new RangeError(`a local APIC page has 1,024 bytes, not ${page.length}`);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const read = (register: number) => view.getUint32(register, true);
  const x2apic = (apicBase & BASE_ENABLED) !== 0n && (apicBase & BASE_X2APIC) !== 0n;
  const version = read(LAPIC_REGISTER.version);
  const timer = read(LAPIC_REGISTER.timer);
  const currentCount = read(LAPIC_REGISTER.currentCount);
  const divide = timerDivide(read(LAPIC_REGISTER.divide));
  return {
    base: hex(apicBase & 0xf_ffff_ffff_f000n),
    mode: apicBase & BASE_ENABLED ? (x2apic ? 'x2apic' : 'xapic') : 'disabled',
    softwareEnabled: (read(LAPIC_REGISTER.svr) & SVR_ENABLED) !== 0,
    // KVM gives the id in bits 31:24 in both modes, unless KVM_CAP_X2APIC_API is switched on.
    id: read(LAPIC_REGISTER.id) >>> 24,
    version: version & 0xff,
    tpr: read(LAPIC_REGISTER.tpr),
    ppr: read(LAPIC_REGISTER.ppr),
    ldr: x2apic ? read(LAPIC_REGISTER.ldr) : read(LAPIC_REGISTER.ldr) >>> 24,
    dfr: read(LAPIC_REGISTER.dfr),
    svr: read(LAPIC_REGISTER.svr),
    esr: read(LAPIC_REGISTER.esr),
    icr: hex((BigInt(read(LAPIC_REGISTER.icrHigh)) << 32n) | BigInt(read(LAPIC_REGISTER.icrLow))),
    irr: vectors(view, LAPIC_REGISTER.irr),
    isr: vectors(view, LAPIC_REGISTER.isr),
    tmr: vectors(view, LAPIC_REGISTER.tmr),
    lvt: LVT.filter(([name]) => name !== 'CMCI' || ((version >>> 16) & 0xff) >= CMCI_ENTRY).map(([name, register]) =>
      lvtEntry(name, read(register)),
    ),
    timer: {
      mode: timerModes[(timer >>> 17) & 3] ?? 'one-shot',
      initialCount: read(LAPIC_REGISTER.initialCount),
      currentCount,
      divide,
      ...(currentCount > 0 && { left: currentCount * divide * BUS_CYCLE }),
    },
  };
}

/** A 256-bit register: eight 32-bit parts, 16 bytes apart. */
function vectors(view: DataView, register: number): number[] {
  return Array.from({ length: 256 }, (_, vector) => vector).filter(
    (vector) => (view.getUint32(register + (vector >> 5) * 16, true) >>> (vector & 31)) & 1,
  );
}

function lvtEntry(name: LvtEntry['name'], raw: number): LvtEntry {
  return {
    name,
    raw,
    vector: raw & 0xff,
    // The timer and error entries have no delivery mode: they are fixed.
    delivery: name === 'Timer' || name === 'Error' ? 'fixed' : (deliveryModes[(raw >>> 8) & 7] ?? 'reserved'),
    masked: ((raw >>> 16) & 1) !== 0,
    pending: ((raw >>> 12) & 1) !== 0,
  };
}

/** Divide configuration register, bits 3, 1 and 0. Intel SDM vol. 3A figure 11-10. */
function timerDivide(register: number): number {
  const value = (register & 3) | ((register & 8) >> 1);
  return value === 7 ? 1 : 2 << value;
}
