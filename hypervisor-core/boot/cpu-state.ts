/** Initial processor states: flat segments, and the descriptor table that backs them. */
import type { InitialCpu, SegmentState } from './boot-image.ts';

const CODE_SELECTOR = 0x08;
const DATA_SELECTOR = 0x10;

/** Null, code (64-bit), data: what CS and the others point to in long mode. */
const longModeGdt = [0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn];
/** Null, code (32-bit), data. */
const protectedModeGdt = [0n, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn];

export function gdtBytes(mode: InitialCpu['mode']): Uint8Array {
  return new Uint8Array(BigUint64Array.from(mode === 'long' ? longModeGdt : protectedModeGdt).buffer);
}

const flat = { base: 0n, limit: 0xffff_ffff, s: 1, dpl: 0, present: 1, g: 1 };
const data: SegmentState = { ...flat, selector: DATA_SELECTOR, type: 3, l: 0, db: 1 };
const system = { selector: 0, base: 0n, s: 0, dpl: 0, present: 1, l: 0, db: 0, g: 0 };

function segments(mode: InitialCpu['mode']): InitialCpu['segments'] {
  const long = mode === 'long';
  const cs: SegmentState = { ...flat, selector: CODE_SELECTOR, type: 11, l: long ? 1 : 0, db: long ? 0 : 1 };
  return {
    cs,
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    // Busy TSS: the processor refuses to enter a guest with any other type (SDM vol. 3C 27.3.1.2).
    tr: { ...system, limit: 0x67, type: 11 },
    ldt: { ...system, limit: 0, type: 2 },
  };
}

interface EntryState {
  readonly general: InitialCpu['general'];
  /** Guest-physical address of {@link gdtBytes}. */
  readonly gdt: bigint;
}

const GDT_LIMIT = 3 * 8 - 1;
/** With this IDT every exception before the kernel has its own is a triple fault, which is reported. */
const noIdt = { base: 0n, limit: 0 };

/** Protected mode, flat 32-bit segments, no paging (CR0 = PE | ET). */
export function protectedMode({ general, gdt }: EntryState): InitialCpu {
  return {
    mode: 'protected32',
    general,
    segments: segments('protected32'),
    gdt: { base: gdt, limit: GDT_LIMIT },
    idt: noIdt,
    cr0: 0x11n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
}

/** Long mode at CPL 0 (CR0 = PG | NE | ET | PE, CR4 = PAE, EFER = LMA | LME). */
export function longMode({ general, gdt, cr3 }: EntryState & { readonly cr3: bigint }): InitialCpu {
  return {
    mode: 'long',
    general,
    segments: segments('long'),
    gdt: { base: gdt, limit: GDT_LIMIT },
    idt: noIdt,
    cr0: 0x8000_0031n,
    cr3,
    cr4: 0x20n,
    efer: 0x500n,
  };
}
