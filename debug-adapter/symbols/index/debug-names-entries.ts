/** Entries of a name in `.debug_names`, by the table's own abbreviations. DWARF 5, 6.1.1.4.7 and 6.1.1.4.8. */
import type { Cursor } from '../bytes.ts';
import { form, tag } from '../dwarf-constants.ts';
import { type NameKind, nameKinds } from './name-kinds.ts';
import type { TableSection } from './table-section.ts';

interface NameAbbrev {
  readonly tag: number;
  /** DW_IDX_… and forms. */
  readonly attributes: readonly (readonly [index: number, form: number])[];
}
export type NameAbbrevs = ReadonlyMap<number, NameAbbrev>;

export interface NameEntry {
  /** Numbers in the table's lists; neither is there in a table of one unit. */
  readonly unit?: number;
  readonly type?: number;
}

const indexAttributes = { compileUnit: 1, typeUnit: 2 } as const;
const mostAbbrevs = 4096;
const mostAttributes = 16;
/** Entries of one name, read a few at a time. */
const mostEntries = 65_536;
const windowBytes = 256;
/** Code and attributes of one entry. */
const longestEntry = 10 + mostAttributes * 10;

export function readNameAbbrevs(cursor: Cursor): NameAbbrevs {
  const abbrevs = new Map<number, NameAbbrev>();
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    const tagCode = cursor.uleb();
    const attributes: [number, number][] = [];
    for (;;) {
      const [index, formCode] = [cursor.uleb(), cursor.uleb()];
      if (index === 0 && formCode === 0) break;
      attributes.push([index, formCode]);
    }
    if (attributes.length > mostAttributes || abbrevs.size >= mostAbbrevs) throw cursor.error('too many abbreviations');
    abbrevs.set(code, { tag: tagCode, attributes });
  }
  return abbrevs;
}

/** Those of a kind, of the list at `start`, which ends before `end`. An inlined copy of a function stands for it. */
export function* nameEntries(
  section: TableSection,
  start: number,
  end: number,
  abbrevs: NameAbbrevs,
  kind: NameKind,
): Generator<NameEntry> {
  let at = start;
  let cursor = section.read(at, at);
  for (let count = 0; ; count++) {
    if (cursor.left < longestEntry && at + cursor.bytes.length < end) {
      at += cursor.at;
      cursor = section.read(at, Math.min(end, at + windowBytes));
    }
    const code = cursor.uleb();
    if (code === 0) return;
    const abbrev = abbrevs.get(code);
    if (!abbrev) throw cursor.error(`abbreviation ${code} is not in the table`);
    if (count >= mostEntries) throw cursor.error('too many entries of one name');
    const entry: { unit?: number; type?: number } = {};
    for (const [index, formCode] of abbrev.attributes) {
      const value = readIndex(cursor, formCode);
      if (index === indexAttributes.compileUnit) entry.unit = value;
      else if (index === indexAttributes.typeUnit) entry.type = value;
    }
    const isInlined = abbrev.tag === tag.inlinedSubroutine && kind === 'function';
    if (isInlined || nameKinds[kind].has(abbrev.tag)) yield entry;
  }
}

/** 0 for what is no number of a unit. */
function readIndex(cursor: Cursor, code: number): number {
  switch (code) {
    case form.flagPresent:
      return 0;
    case form.data1:
    case form.ref1:
      return cursor.u8();
    case form.data2:
    case form.ref2:
      return cursor.u16();
    case form.data4:
    case form.ref4:
      return cursor.u32();
    case form.data8:
    case form.ref8:
      cursor.skip(8);
      return 0;
    case form.udata:
    case form.refUdata:
      return cursor.uleb();
    default:
      throw cursor.error(`form 0x${code.toString(16)} in a table of names`);
  }
}
