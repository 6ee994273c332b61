/** Decodes one paging-structure entry. Intel SDM vol. 3A, tables 4-5, 4-6, 4-8 to 4-11 and 4-14 to 4-20. */
import { canonical, EFER_NXE, type PagingState, pagingMode, type TableLevel } from './paging-mode.ts';

const P = 1n << 0n;
const W = 1n << 1n;
const U = 1n << 2n;
const PS = 1n << 7n;
const NX = 1n << 63n;
/** Names by bit, as far as they mean the same in all entries. */
const commonFlags: readonly (readonly [bigint, string])[] = [
  [P, 'P'],
  [W, 'W'],
  [U, 'U'],
  [1n << 3n, 'PWT'],
  [1n << 4n, 'PCD'],
  [1n << 5n, 'A'],
];

/** One entry, decoded. Addresses are guest-virtual (`address`) and guest-physical (`at`, `target`). */
export interface PagingEntry {
  readonly index: number;
  readonly level: number;
  readonly name: TableLevel['name'];
  readonly raw: bigint;
  /** Where the entry lies. */
  readonly at: bigint;
  /** First address that it maps, and the bytes that it covers. */
  readonly address: bigint;
  readonly size: bigint;
  /** The page or the next table. */
  readonly target: bigint;
  readonly present: boolean;
  readonly leaf: boolean;
  /** `P`, `W`, `U`, `PWT`, `PCD`, `A`, `D`, `PS`, `PAT`, `G`, `NX`, as they stand in this entry. */
  readonly flags: readonly string[];
  /** Bits that are set and must not be; any of them makes every access fault. */
  readonly reserved: bigint;
}

/** An entry's place: which level, which index, at which address, mapping which addresses. */
export interface EntryPlace {
  readonly level: TableLevel;
  readonly index: number;
  readonly at: bigint;
  readonly address: bigint;
}

export function decodeEntry(state: PagingState, place: EntryPlace, raw: bigint): PagingEntry {
  const { level } = place;
  const present = (raw & P) !== 0n;
  const leaf = level.level === 1 || (level.largePages && (raw & PS) !== 0n);
  return {
    index: place.index,
    level: level.level,
    name: level.name,
    raw,
    at: place.at,
    address: canonical(state, place.address),
    size: 1n << level.shift,
    target: targetOf(level, leaf, raw),
    present,
    leaf,
    flags: flagsOf(state, level, leaf, raw),
    reserved: present ? raw & reservedBits(state, level, leaf) : 0n,
  };
}

function bits(high: bigint, low: bigint): bigint {
  return high < low ? 0n : (1n << (high + 1n)) - (1n << low);
}

function targetOf(level: TableLevel, leaf: boolean, raw: bigint): bigint {
  const shift = leaf ? level.shift : 12n;
  if (level.entryBytes === 8) return raw & bits(51n, shift);
  // PSE-36: a 4 MiB page keeps bits 39 to 32 of its address in bits 20 to 13.
  if (leaf && level.level === 2) return (raw & bits(31n, 22n)) | (((raw >> 13n) & 0xffn) << 32n);
  return raw & bits(31n, 12n);
}

function flagsOf(state: PagingState, level: TableLevel, leaf: boolean, raw: bigint): string[] {
  const flags = commonFlags.filter(([bit]) => raw & bit).map(([, name]) => name);
  const add = (bit: bigint, name: string) => {
    if (raw & bit) flags.push(name);
  };
  if (leaf) {
    add(1n << 6n, 'D');
    if (level.level > 1) flags.push('PS');
    add(level.level === 1 ? 1n << 7n : 1n << 12n, 'PAT');
    add(1n << 8n, 'G');
  }
  if (level.entryBytes === 8 && state.efer & EFER_NXE && !isPaeRoot(state, level)) add(NX, 'NX');
  return flags;
}

function isPaeRoot(state: PagingState, level: TableLevel): boolean {
  return level.level === 3 && pagingMode(state) === 'pae';
}

/** Bits that must be 0 in a present entry. */
export function reservedBits(state: PagingState, level: TableLevel, leaf: boolean): bigint {
  const physical = BigInt(state.physicalBits ?? 52);
  if (level.entryBytes === 4) {
    if (!leaf || level.level === 1) return 0n;
    const most = physical > 40n ? 40n : physical;
    return bits(21n, most - 32n + 13n);
  }
  const pae = pagingMode(state) === 'pae';
  let reserved = bits(pae ? 62n : 51n, physical);
  // Bit 5 is reserved too, but only looked at by MOV to CR3, and QEMU uses it as an accessed bit afterwards.
  if (isPaeRoot(state, level)) return reserved | NX | bits(8n, 6n) | bits(2n, 1n);
  if (!(state.efer & EFER_NXE)) reserved |= NX;
  if (leaf) reserved |= bits(level.shift - 1n, 13n);
  else if (level.level > 2 && !level.largePages) reserved |= PS;
  return reserved;
}
