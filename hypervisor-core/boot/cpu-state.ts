/** Initial processor states: flat segments, and the descriptor table that backs them. */
import type { InitialCpu, SegmentState } from './boot-image.ts';

/** Selector of the flat code segment; the data segment is the next. Linux has fixed its own: __BOOT_CS, __BOOT_DS. */
export const CODE_SELECTOR = { usual: 0x08, linux: 0x10 } as const;
type CodeSelector = (typeof CODE_SELECTOR)[keyof typeof CODE_SELECTOR];

const code64 = 0x00af_9b00_0000_ffffn;
const code32 = 0x00cf_9b00_0000_ffffn;
const data32 = 0x00cf_9300_0000_ffffn;
/** Descriptors of any table made here, so that all have one size. */
const GDT_ENTRIES = 4;
export const GDT_SIZE = GDT_ENTRIES * 8;

/** The descriptor table that backs the segments of {@link protectedMode} or {@link longMode}. */
export function gdtBytes(mode: 'protected32' | 'long', codeSelector: CodeSelector): Uint8Array {
  const table = new BigUint64Array(GDT_ENTRIES);
  table.set([mode === 'long' ? code64 : code32, data32], codeSelector / 8);
  return new Uint8Array(table.buffer);
}

const flat = { base: 0n, limit: 0xffff_ffff, s: 1, dpl: 0, present: 1, g: 1 };
const system = { selector: 0, base: 0n, s: 0, dpl: 0, present: 1, l: 0, db: 0, g: 0 };

function segments(long: boolean, codeSelector: CodeSelector): InitialCpu['segments'] {
  const cs: SegmentState = { ...flat, selector: codeSelector, type: 11, l: long ? 1 : 0, db: long ? 0 : 1 };
  const data: SegmentState = { ...flat, selector: codeSelector + 8, type: 3, l: 0, db: 1 };
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
  readonly codeSelector?: CodeSelector;
}

/** With this IDT every exception before the kernel has its own is a triple fault, which is reported. */
const noIdt = { base: 0n, limit: 0 };

/** Protected mode, flat 32-bit segments, no paging (CR0 = PE | ET). */
export function protectedMode({ general, gdt, codeSelector = CODE_SELECTOR.usual }: EntryState): InitialCpu {
  return {
    mode: 'protected32',
    general,
    segments: segments(false, codeSelector),
    gdt: { base: gdt, limit: GDT_SIZE - 1 },
    idt: noIdt,
    cr0: 0x11n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
}

/** Long mode at CPL 0 (CR0 = PG | NE | ET | PE, CR4 = PAE, EFER = LMA | LME). */
export function longMode({
  general,
  gdt,
  cr3,
  codeSelector = CODE_SELECTOR.usual,
}: EntryState & { readonly cr3: bigint }): InitialCpu {
  return {
    mode: 'long',
    general,
    segments: segments(true, codeSelector),
    gdt: { base: gdt, limit: GDT_SIZE - 1 },
    idt: noIdt,
    cr0: 0x8000_0031n,
    cr3,
    cr4: 0x20n,
    efer: 0x500n,
  };
}

/**
 * Real mode as after a reset, at CS:IP. `stack` and the data segments have base 0 unless `ss` says otherwise; selectors
 * are paragraph numbers.
 */
export function realMode(at: { cs: number; ip: number; ss: number; sp: number; dl?: number }): InitialCpu {
  const segment = (selector: number, type: number): SegmentState => ({
    selector,
    base: BigInt(selector) << 4n,
    limit: 0xffff,
    type,
    ...{ s: 1, dpl: 0, present: 1, l: 0, db: 0, g: 0 },
  });
  const data = segment(0, 3);
  return {
    mode: 'real',
    general: { rip: BigInt(at.ip), rsp: BigInt(at.sp), rflags: 2n, rdx: BigInt(at.dl ?? 0) },
    segments: {
      cs: segment(at.cs, 11),
      ...{ ds: data, es: data, fs: data, gs: data },
      ss: segment(at.ss, 3),
      tr: { ...system, limit: 0xffff, type: 11 },
      ldt: { ...system, limit: 0xffff, type: 2 },
    },
    gdt: { base: 0n, limit: 0xffff },
    idt: { base: 0n, limit: 0x3ff },
    cr0: 0x10n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
  };
}
