/** The machine code of an entry: DW_AT_low_pc and high_pc, or DW_AT_ranges. DWARF 5, 2.17, 7.28; DWARF 4, 2.17.3. */
import type { Range } from './addresses.ts';
import { Cursor } from './bytes.ts';
import type { Die } from './die.ts';
import { attribute } from './dwarf-constants.ts';
import type { Unit } from './unit.ts';

/** More ranges than this for one entry are taken as damage. */
const maximumRanges = 100_000;

const rle = {
  endOfList: 0,
  baseAddressx: 1,
  startxEndx: 2,
  startxLength: 3,
  offsetPair: 4,
  baseAddress: 5,
  startEnd: 6,
  startLength: 7,
} as const;

/** Ranges in the order of the file, without empty ones and those that the linker threw away. */
export function rangesOf(die: Die): Range[] {
  const { unit } = die;
  const ranges = allRanges(die);
  return ranges.filter((range) => range.low < range.high && unit.info.isLoaded(range.low));
}

function allRanges(die: Die): Range[] {
  const { unit } = die;
  const value = die.value(attribute.ranges);
  if (value) {
    if (unit.header.version < 5) {
      const offset = die.sectionOffset(attribute.ranges);
      return offset === undefined ? [] : readOldRanges(unit, unit.rangesBase + offset);
    }
    if (value.kind === 'offset') return readRangeList(unit, value.offset);
    return value.kind === 'list' ? readRangeList(unit, indexedList(unit, value.index)) : [];
  }
  const low = die.address(attribute.lowPc);
  const end = die.value(attribute.highPc);
  if (low === undefined || !end) return [];
  if (end.kind === 'address') return [{ low, high: unit.info.addresses.toDistance(end.address) }];
  return end.kind === 'constant' ? [{ low, high: low + Number(end.value) }] : [];
}

function indexedList(unit: Unit, index: number): number {
  const base = unit.rnglistsBase;
  const { offsetSize } = unit.header;
  const cursor = new Cursor(unit.section('.debug_rnglists'), base + index * offsetSize, '.debug_rnglists');
  return base + cursor.word(offsetSize);
}

function readRangeList(unit: Unit, offset: number): Range[] {
  const { info, header } = unit;
  const cursor = new Cursor(unit.section('.debug_rnglists'), offset, '.debug_rnglists');
  const address = (value: bigint) => info.addresses.toDistance(value);
  const plain = () => address(cursor.unsigned(header.addressSize));
  const indexed = () => address(info.indexedAddress(unit, cursor.uleb()));
  const ranges: Range[] = [];
  let base = unit.base ?? address(0n);
  while (ranges.length < maximumRanges) {
    const kind = cursor.u8();
    let low: number;
    switch (kind) {
      case rle.endOfList:
        return ranges;
      case rle.baseAddressx:
        base = indexed();
        break;
      case rle.baseAddress:
        base = plain();
        break;
      case rle.offsetPair:
        ranges.push({ low: base + cursor.uleb(), high: base + cursor.uleb() });
        break;
      case rle.startxEndx:
        ranges.push({ low: indexed(), high: indexed() });
        break;
      case rle.startEnd:
        ranges.push({ low: plain(), high: plain() });
        break;
      case rle.startxLength:
      case rle.startLength:
        low = kind === rle.startLength ? plain() : indexed();
        ranges.push({ low, high: low + cursor.uleb() });
        break;
      default:
        cursor.fail(`range list entry ${kind} is not known`);
    }
  }
  return cursor.fail('range list is too long');
}

function readOldRanges(unit: Unit, offset: number): Range[] {
  const { info, header } = unit;
  const size = header.addressSize;
  const cursor = new Cursor(unit.inImage.section('.debug_ranges'), offset, '.debug_ranges');
  const baseMark = size === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  const ranges: Range[] = [];
  let base = unit.base ?? info.addresses.toDistance(0n);
  while (ranges.length < maximumRanges) {
    const low = cursor.unsigned(size);
    const high = cursor.unsigned(size);
    if (low === 0n && high === 0n) return ranges;
    if (low === baseMark) base = info.addresses.toDistance(high);
    // A signed offset: with base 0 these are whole addresses.
    else ranges.push({ low: base + signedOffset(low, size), high: base + signedOffset(high, size) });
  }
  return cursor.fail('range list is too long');
}

const signedOffset = (value: bigint, size: number): number => Number(BigInt.asIntN(size * 8, value));
