/** `info lapic` and `info pic` of QEMU's monitor in the words of the inspect contract. */
import { decodeIoapicPin } from '../../../hypervisor-core/interrupts/irqchip.ts';
import { decodeLapic, LAPIC_REGISTER } from '../../../hypervisor-core/interrupts/lapic.ts';
import type { InterruptState, IoapicState, LapicState, PicState } from '../../../hypervisor-core/protocol/inspect.ts';

/** The rows of `info lapic` that show a register as it is. */
const WORDS: Readonly<Record<string, number>> = {
  LVT0: 0x350,
  LVT1: 0x360,
  LVTPC: 0x340,
  LVTERR: 0x370,
  LVTTHMR: 0x330,
  LVTT: LAPIC_REGISTER.timer,
  SPIV: LAPIC_REGISTER.svr,
  ICR: LAPIC_REGISTER.icrLow,
  ICR2: LAPIC_REGISTER.icrHigh,
  ESR: LAPIC_REGISTER.esr,
};
/** Of QEMU's model: an integrated APIC with six local vector table entries. */
const VERSION = 0x5_0014;
const DEFAULT_BASE = 0xfee0_0800n;

/** Throws nothing: text that is something else gives undefined. */
export function parseLapic(text: string): LapicState | undefined {
  const words = new Map([...text.matchAll(/^(\w+)\s+0x([0-9a-f]{8})\b/gm)].map(([, name, digits]) => [name, digits]));
  if (!words.has('SPIV') || !words.has('LVTT')) return undefined;
  const page = new DataView(new ArrayBuffer(1024));
  const set = (register: number, value: number) => page.setUint32(register, value, true);
  for (const [name, register] of Object.entries(WORDS)) set(register, Number.parseInt(words.get(name) ?? '0', 16));
  const field = (name: string) => Number.parseInt(new RegExp(`\\b${name} 0x([0-9a-f]+)`).exec(text)?.[1] ?? '0', 16);
  set(LAPIC_REGISTER.tpr, field('TPR'));
  set(LAPIC_REGISTER.ppr, field('PPR'));
  // Shown without the bits that the registers do not have.
  set(LAPIC_REGISTER.ldr, field('LDR') << 24);
  set(LAPIC_REGISTER.dfr, (field('DFR') << 28) | 0x0fff_ffff);
  set(LAPIC_REGISTER.version, VERSION);
  set(LAPIC_REGISTER.id, Number(/for CPU (\d+)/.exec(text)?.[1] ?? 0) << 24);
  const timer = /DCR=0x([0-9a-f]+).*initial_count = (\d+) current_count = (\d+)/.exec(text);
  set(LAPIC_REGISTER.divide, Number.parseInt(timer?.[1] ?? '0', 16));
  set(LAPIC_REGISTER.initialCount, Number(timer?.[2] ?? 0));
  set(LAPIC_REGISTER.currentCount, Number(timer?.[3] ?? 0));
  setVectors(page, LAPIC_REGISTER.isr, /^ISR\s+(.*)$/m.exec(text)?.[1] ?? '');
  setVectors(page, LAPIC_REGISTER.irr, /^IRR\s+(.*)$/m.exec(text)?.[1] ?? '');
  return decodeLapic(new Uint8Array(page.buffer), DEFAULT_BASE);
}

/** Vectors as QEMU lists them: `48 51(level)`. Those with a word behind them are level-triggered: their TMR bit is set. */
function setVectors(page: DataView, register: number, list: string): void {
  const setBit = (base: number, vector: number) => {
    const at = base + (vector >> 5) * 16;
    page.setUint32(at, page.getUint32(at, true) | (1 << (vector & 31)), true);
  };
  for (const [, digits, level] of list.matchAll(/\b(\d{1,3})\b(\(level\))?/g)) {
    const vector = Number(digits);
    if (vector > 255) continue;
    setBit(register, vector);
    if (level) setBit(LAPIC_REGISTER.tmr, vector);
  }
}

export function parseIoapic(text: string): IoapicState | undefined {
  const [version, id, select] =
    /^ioapic0: ver=0x([0-9a-f]+) id=0x([0-9a-f]+) sel=0x([0-9a-f]+)/m
      .exec(text)
      ?.slice(1)
      .map((digits) => Number.parseInt(digits, 16)) ?? [];
  if (version === undefined || id === undefined || select === undefined) return undefined;
  const requested = new Set(/^\s+IRR\s+(.*)$/m.exec(text)?.[1]?.match(/\d+/g)?.map(Number));
  const pins = [...text.matchAll(/^\s+pin (\d+)\s+0x([0-9a-f]{16})/gm)].map(([, pin, raw]) =>
    decodeIoapicPin(Number(pin), BigInt(`0x${raw}`), requested.has(Number(pin))),
  );
  return { id, version, select, base: '0xfec00000', pins };
}

export function parsePics(text: string): readonly PicState[] {
  const chips = [...text.matchAll(/^pic([01]): (.*)$/gm)].map(([, number, fields]): PicState => {
    const field = (name: string) =>
      Number.parseInt(new RegExp(`\\b${name}=([0-9a-f]+)`).exec(fields ?? '')?.[1] ?? '0', 16);
    return {
      name: number === '0' ? 'master' : 'slave',
      irr: field('irr'),
      isr: field('isr'),
      imr: field('imr'),
      vectorBase: field('irq_base'),
      autoEoi: false,
      elcr: field('elcr'),
      highestPriority: field('hprio'),
      readsIsr: field('rr_sel') !== 0,
      fullyNested: field('fnm') !== 0,
      initialized: field('irq_base') !== 0,
    };
  });
  return chips.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The `II=` and `HLT=` flags of `info registers`. */
export function parsePending(registers: string): InterruptState['pending'] {
  return {
    interruptShadow: /\bII=[1-9]/.test(registers),
    nmi: { pending: false, injected: false, masked: false },
    smi: { pending: false, inSmm: /\bSMM=1/.test(registers) },
    mpState: /\bHLT=1/.test(registers) ? 'halted' : 'running',
  };
}
