/** Header of a table of `.debug_names` and where its parts are. DWARF 5, 6.1.1.4. */
import type { Cursor } from '../bytes.ts';
import type { DebugInfo } from '../debug-info.ts';
import type { Unit } from '../unit.ts';
import type { TableSection } from './table-section.ts';

export interface TableLayout {
  readonly offsetSize: number;
  readonly units: readonly Unit[];
  /** Type units. Behind them count those in files of split DWARF, which the table knows by their signatures alone. */
  readonly types: readonly Unit[];
  readonly buckets: number;
  readonly names: number;
  /** Parts, as offsets in the section. */
  readonly bucketsAt: number;
  readonly hashesAt: number;
  readonly stringsAt: number;
  readonly entriesAt: number;
  readonly abbrevsAt: number;
  readonly poolAt: number;
  /** Behind the table. */
  readonly end: number;
}

const mostAugmentation = 64;
/** Length of 64-bit DWARF, version, padding, seven counts. */
const longestHeader = 12 + 2 + 2 + 7 * 4 + mostAugmentation;
/** LLVM's says nothing of the format. What has others, as gdb's tables, may be laid out otherwise. */
const augmentations: readonly string[] = ['', 'LLVM0700'];
/** There is an abbreviation for each tag and form. */
const mostAbbrevBytes = 64 * 1024;

/** Undefined for a table with what is not known here, without hashes or units. Throws `SymbolFileError` where it does not fit. */
export function readTableLayout(section: TableSection, start: number, info: DebugInfo): TableLayout | undefined {
  const header = section.readSome(start, longestHeader);
  let length = header.u32();
  const offsetSize = length === 0xffff_ffff ? 8 : 4;
  if (offsetSize === 8) length = header.u64AsNumber();
  const end = start + header.at + length;
  if (end > section.size) header.fail('a table goes on behind the section');
  const version = header.u16();
  header.skip(2);
  const [units, types, foreign, buckets, names, abbrevSize, augmentationSize] = Array.from({ length: 7 }, () =>
    header.u32(),
  ) as [number, number, number, number, number, number, number];
  if (version !== 5 || buckets === 0 || units + types === 0 || augmentationSize > mostAugmentation) return undefined;
  const augmentation = Buffer.from(header.block(augmentationSize)).toString('latin1').replace(/\0+$/, '');
  if (!augmentations.includes(augmentation)) return undefined;
  const unitsAt = start + header.at;
  const bucketsAt = unitsAt + offsetSize * (units + types) + 8 * foreign;
  const hashesAt = bucketsAt + 4 * buckets;
  const stringsAt = hashesAt + 4 * names;
  const entriesAt = stringsAt + offsetSize * names;
  const abbrevsAt = entriesAt + offsetSize * names;
  const poolAt = abbrevsAt + abbrevSize;
  if (poolAt > end || abbrevSize > mostAbbrevBytes) header.fail('parts of the table do not fit');
  if (units + types > info.units.length) header.fail('the table is of another build: it has more units');
  const list = section.read(unitsAt, unitsAt + offsetSize * (units + types));
  return {
    ...{ offsetSize, buckets, names, bucketsAt, hashesAt, stringsAt, entriesAt, abbrevsAt, poolAt, end },
    units: Array.from({ length: units }, () => unitOf(list, offsetSize, info, false)),
    types: Array.from({ length: types }, () => unitOf(list, offsetSize, info, true)),
  };
}

function unitOf(list: Cursor, offsetSize: number, info: DebugInfo, isType: boolean): Unit {
  const offset = list.word(offsetSize);
  const unit = info.unitAt(offset);
  if (unit?.part.suffix !== '' || unit.header.offset !== offset || unit.isType !== isType)
    list.fail(`the table is of another build: no such unit at 0x${offset.toString(16)}`);
  return info.fullUnitAt(offset) ?? unit;
}
