/** How the code at CS is addressed and decoded: Intel SDM vol. 3A 3.4.5 and 20.1.1. */

export interface CodeSegment {
  /** Linear address of offset 0. */
  readonly base: bigint;
  readonly bits: 16 | 32 | 64;
}

/** CS.L and CS.D/B in the layout of `cs_attr`. */
const LONG = 1n << 13n;
const DEFAULT_32 = 1n << 14n;
const CR0_PE = 1n;
const EFER_LMA = 1n << 10n;

/** What kernels run, and what is taken for granted of a stub that tells too little. */
const FLAT: CodeSegment = { base: 0n, bits: 64 };

/** True when these registers alone tell the segment, without the hidden part of CS. */
export function tellsSegment(values: ReadonlyMap<string, bigint>): boolean {
  return values.has('cs_attr') || ((values.get('efer') ?? 0n) & EFER_LMA) !== 0n;
}

export function codeSegmentOf(values: ReadonlyMap<string, bigint>): CodeSegment {
  const attributes = values.get('cs_attr');
  if (attributes !== undefined) {
    if (attributes & LONG) return FLAT;
    return { base: values.get('cs_base') ?? 0n, bits: attributes & DEFAULT_32 ? 32 : 16 };
  }
  const cr0 = values.get('cr0');
  if (cr0 === undefined || cr0 & CR0_PE) return FLAT;
  return { base: (values.get('cs') ?? 0n) << 4n, bits: 16 };
}
