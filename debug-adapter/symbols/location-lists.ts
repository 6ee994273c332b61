/** Location lists: where a variable is at which address. DWARF 5, 2.6.2 and 7.29; DWARF 4, 2.6.2. */
import { Cursor } from './bytes.ts';
import type { Die } from './die.ts';
import type { Unit } from './unit.ts';

const lle = {
  endOfList: 0,
  baseAddressx: 1,
  startxEndx: 2,
  startxLength: 3,
  offsetPair: 4,
  defaultLocation: 5,
  baseAddress: 6,
  startEnd: 7,
  startLength: 8,
  viewPair: 9,
} as const;

/**
 * The expression of a location attribute at `distance`; empty where the list says nothing for it. Undefined for an
 * attribute that is no location.
 */
export function locationProgram(die: Die, attributeName: number, distance: number): Uint8Array | undefined {
  const { unit } = die;
  const value = die.value(attributeName);
  if (value?.kind === 'block') return value.bytes;
  if (value?.kind === 'list') return readList(unit, indexedList(unit, value.index), distance);
  const offset = die.sectionOffset(attributeName);
  if (offset === undefined) return undefined;
  const isOld = unit.header.version < 5 && !unit.skeleton;
  return isOld ? readOldList(unit, offset, distance) : readList(unit, offset, distance);
}

function indexedList(unit: Unit, index: number): number {
  const base = unit.loclistsBase;
  const { offsetSize } = unit.header;
  const cursor = new Cursor(unit.section('.debug_loclists'), base + index * offsetSize, '.debug_loclists');
  return base + cursor.word(offsetSize);
}

/** Also what GNU put into files of split DWARF before version 5: some of the same entries, with sizes of fixed width. */
function readList(unit: Unit, offset: number, distance: number): Uint8Array {
  const { info, header } = unit;
  const isGnu = header.version < 5;
  const section = isGnu ? '.debug_loc' : '.debug_loclists';
  const cursor = new Cursor(unit.section(section), offset, section);
  const toDistance = (address: bigint) => info.addresses.toDistance(address);
  const plain = () => toDistance(cursor.unsigned(header.addressSize));
  const indexed = () => toDistance(info.indexedAddress(unit, cursor.uleb()));
  let base = unit.base ?? toDistance(0n);
  let otherwise = new Uint8Array();
  for (;;) {
    const kind = cursor.u8();
    let low = Number.NaN;
    let high = Number.NaN;
    switch (kind) {
      case lle.endOfList:
        return otherwise;
      case lle.viewPair:
        cursor.uleb();
        cursor.uleb();
        continue;
      case lle.baseAddressx:
        base = indexed();
        continue;
      case lle.baseAddress:
        base = plain();
        continue;
      case lle.startxEndx:
        low = indexed();
        high = indexed();
        break;
      case lle.startxLength:
        low = indexed();
        high = low + (isGnu ? cursor.u32() : cursor.uleb());
        break;
      case lle.offsetPair:
        low = base + cursor.uleb();
        high = base + cursor.uleb();
        break;
      case lle.startEnd:
        low = plain();
        high = plain();
        break;
      case lle.startLength:
        low = plain();
        high = low + cursor.uleb();
        break;
      case lle.defaultLocation:
        break;
      default:
        cursor.fail(`location list entry ${kind} is not known`);
    }
    const program = cursor.block(isGnu ? cursor.u16() : cursor.uleb());
    if (kind === lle.defaultLocation) otherwise = new Uint8Array(program);
    else if (distance >= low && distance < high) return program;
  }
}

function readOldList(unit: Unit, offset: number, distance: number): Uint8Array {
  const { info, header } = unit;
  const size = header.addressSize;
  const cursor = new Cursor(unit.section('.debug_loc'), offset, '.debug_loc');
  const baseMark = size === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  const signedOffset = (value: bigint) => Number(BigInt.asIntN(size * 8, value));
  let base = unit.base ?? info.addresses.toDistance(0n);
  for (;;) {
    const low = cursor.unsigned(size);
    const high = cursor.unsigned(size);
    if (low === 0n && high === 0n) return new Uint8Array();
    if (low === baseMark) {
      base = info.addresses.toDistance(high);
      continue;
    }
    const program = cursor.block(cursor.u16());
    if (distance >= base + signedOffset(low) && distance < base + signedOffset(high)) return program;
  }
}
