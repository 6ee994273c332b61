/** Abbreviation tables, compiled so that an entry is skipped without looking at each attribute. DWARF 5, 7.5.3. */
import type { Cursor } from './bytes.ts';
import { attribute, form } from './dwarf-constants.ts';

export interface AttributeSpec {
  readonly name: number;
  readonly form: number;
  /** For DW_FORM_implicit_const. */
  readonly implicit: bigint;
  /** Where it begins: after the first `steps` of {@link Abbrev.skips} and `bytes` more bytes. */
  readonly steps: number;
  readonly bytes: number;
}

export interface Abbrev {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly AttributeSpec[];
  /** What to skip: a count of bytes, or one of {@link skip}'s negative codes. */
  readonly skips: Int32Array;
  /** DW_AT_name and DW_AT_sibling, which scans look for. */
  readonly name: AttributeSpec | undefined;
  readonly sibling: AttributeSpec | undefined;
  /** DW_AT_specification or DW_AT_abstract_origin: the entry that has what this one leaves out. */
  readonly refers: AttributeSpec | undefined;
  readonly isDeclaration: boolean;
}

const skip = { leb: -1, block: -2, string: -3, block1: -4, block2: -5, block4: -6, indirect: -7 } as const;

/** Codes count up from 1 in what compilers write; others are looked up. */
export class AbbrevTable {
  private readonly dense: Abbrev[] = [];
  private readonly sparse = new Map<number, Abbrev>();

  set(code: number, abbrev: Abbrev): void {
    if (code === this.dense.length + 1) this.dense.push(abbrev);
    else this.sparse.set(code, abbrev);
  }

  get(code: number): Abbrev | undefined {
    return this.dense[code - 1] ?? this.sparse.get(code);
  }

  *values(): Generator<Abbrev> {
    yield* this.dense;
    yield* this.sparse.values();
  }
}

/** Abbreviations by a hash of their bytes: a kernel's units repeat the same few thousand, which are compiled once. */
export type AbbrevPool = Map<number, { readonly abbrev: Abbrev; readonly bytes: Uint8Array }>;

export interface FormSizes {
  readonly offsetSize: number;
  readonly addressSize: number;
  readonly version: number;
}

/** The table at the cursor. Forms whose size depends on the unit's header make the table belong to `sizes`. */
export function readAbbrevs(cursor: Cursor, sizes: FormSizes, pool: AbbrevPool): AbbrevTable {
  const table = new AbbrevTable();
  const { bytes } = cursor;
  for (;;) {
    const code = cursor.uleb();
    if (code === 0) return table;
    const { end, hash } = extentOf(bytes, cursor.at);
    const known = pool.get(hash);
    if (known && isAt(known.bytes, bytes, cursor.at, end)) {
      cursor.skip(end - cursor.at);
      table.set(code, known.abbrev);
      continue;
    }
    const own = bytes.subarray(cursor.at, end);
    const abbrev = readAbbrev(cursor, sizes);
    if (!known) pool.set(hash, { abbrev, bytes: own });
    table.set(code, abbrev);
  }
}

/** Where an abbreviation ends, behind its pair of zeros, and a hash of its bytes of 30 bits, which V8 keeps unboxed. */
function extentOf(bytes: Uint8Array, start: number): { end: number; hash: number } {
  let at = start;
  while ((bytes[at++] ?? 0) >= 0x80);
  at++;
  // Pairs of LEB128 numbers; one of a single zero byte is zero, and a form is implicit_const by its only byte.
  for (let ends = false; !ends && at < bytes.length; ) {
    const name = bytes[at] as number;
    while ((bytes[at++] ?? 0) >= 0x80);
    const code = bytes[at] ?? 0;
    while ((bytes[at++] ?? 0) >= 0x80);
    if (code === form.implicitConst) while ((bytes[at++] ?? 0) >= 0x80);
    ends = name === 0 && code === 0;
  }
  const end = Math.min(at, bytes.length);
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193);
  return { end, hash: hash & 0x3fff_ffff };
}

function isAt(wanted: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (wanted.length !== end - start) return false;
  for (let index = 0; index < wanted.length; index++) if (wanted[index] !== bytes[start + index]) return false;
  return true;
}

function readAbbrev(cursor: Cursor, sizes: FormSizes): Abbrev {
  const tag = cursor.uleb();
  const hasChildren = cursor.u8() !== 0;
  const attributes: AttributeSpec[] = [];
  const skips: number[] = [];
  let bytes = 0;
  let name: AttributeSpec | undefined;
  let sibling: AttributeSpec | undefined;
  let refers: AttributeSpec | undefined;
  let isDeclaration = false;
  for (;;) {
    const nameCode = cursor.uleb();
    const formCode = cursor.uleb();
    const implicit = formCode === form.implicitConst ? cursor.slebBig() : 0n;
    if (nameCode === 0 && formCode === 0) break;
    const spec = { name: nameCode, form: formCode, implicit, steps: skips.length, bytes };
    attributes.push(spec);
    if (spec.name === attribute.name) name = spec;
    else if (spec.name === attribute.sibling) sibling = spec;
    else if (spec.name === attribute.specification || spec.name === attribute.abstractOrigin) refers = spec;
    else if (spec.name === attribute.declaration) isDeclaration = true;
    const size = formSize(spec.form, sizes);
    if (size === undefined) cursor.fail(`form 0x${spec.form.toString(16)} is not known`);
    if (size >= 0) bytes += size;
    else {
      skips.push(bytes, size);
      bytes = 0;
    }
  }
  if (bytes > 0) skips.push(bytes);
  return { tag, hasChildren, attributes, skips: new Int32Array(skips), name, sibling, refers, isDeclaration };
}

/** Bytes that a form takes, or one of {@link skip}'s codes. */
function formSize(code: number, sizes: FormSizes): number | undefined {
  switch (code) {
    case form.flagPresent:
    case form.implicitConst:
      return 0;
    case form.data1:
    case form.ref1:
    case form.flag:
    case form.strx1:
    case form.addrx1:
      return 1;
    case form.data2:
    case form.ref2:
    case form.strx2:
    case form.addrx2:
      return 2;
    case form.strx3:
    case form.addrx3:
      return 3;
    case form.data4:
    case form.ref4:
    case form.refSup4:
    case form.strx4:
    case form.addrx4:
      return 4;
    case form.data8:
    case form.ref8:
    case form.refSup8:
    case form.refSig8:
      return 8;
    case form.data16:
      return 16;
    case form.addr:
      return sizes.addressSize;
    case form.refAddr:
      return sizes.version <= 2 ? sizes.addressSize : sizes.offsetSize;
    case form.strp:
    case form.lineStrp:
    case form.strpSup:
    case form.secOffset:
    case 0x1f20: // DW_FORM_GNU_ref_alt
    case 0x1f21: // DW_FORM_GNU_strp_alt
      return sizes.offsetSize;
    case form.sdata:
    case form.udata:
    case form.refUdata:
    case form.strx:
    case form.addrx:
    case form.gnuStrIndex:
    case form.gnuAddrIndex:
    case form.loclistx:
    case form.rnglistx:
      return skip.leb;
    case form.block:
    case form.exprloc:
      return skip.block;
    case form.string:
      return skip.string;
    case form.block1:
      return skip.block1;
    case form.block2:
      return skip.block2;
    case form.block4:
      return skip.block4;
    case form.indirect:
      return skip.indirect;
    default:
      return undefined;
  }
}

/**
 * Position after the first `steps` skips from `at`. The result may lie behind the end of `bytes` where the entry is
 * damaged: the caller compares, once, instead of each read here.
 */
export function skipAttributes(
  skips: Int32Array,
  steps: number,
  bytes: Uint8Array,
  start: number,
  sizes: FormSizes,
): number {
  let at = start;
  for (let step = 0; step < steps; step++) {
    const code = skips[step] as number;
    at = code >= 0 ? at + code : skipVariable(code, bytes, at, sizes);
  }
  return at;
}

function skipVariable(code: number, bytes: Uint8Array, start: number, sizes: FormSizes): number {
  let at = start;
  switch (code) {
    case skip.leb:
      while ((bytes[at++] as number) & 0x80);
      return at;
    case skip.string: {
      const zero = bytes.indexOf(0, at);
      return zero < 0 ? bytes.length + 1 : zero + 1;
    }
    case skip.block1:
      return at + 1 + (bytes[at] ?? 0);
    case skip.block2:
      return at + 2 + ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
    case skip.block4:
      return at + 4 + readU32(bytes, at);
    default: {
      let value = 0;
      let scale = 1;
      let byte: number;
      do {
        byte = bytes[at++] ?? 0;
        value += (byte & 0x7f) * scale;
        scale *= 128;
      } while (byte & 0x80);
      if (code === skip.block) return at + value;
      const size = formSize(value, sizes);
      if (size === undefined || size === skip.indirect) return bytes.length + 1;
      return size >= 0 ? at + size : skipVariable(size, bytes, at, sizes);
    }
  }
}

/** Reads 0 past the end. */
export const readU32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
