/**
 * Symbols as text: the `System.map` of a Linux build, a copy of `/proc/kallsyms`, and what `nm` prints. One a line:
 * address, a letter for its kind (nm(1)), name and, of what a module has, the module's name in brackets.
 */
import { Addresses } from './addresses.ts';
import { SymbolFileError } from './api.ts';
import { type Region, type SymbolColumns, SymbolTable, symbolTypes } from './symtab.ts';

export interface NamedRegion extends Region {
  readonly name: string;
}

export interface SymbolMap {
  readonly addresses: Addresses;
  readonly table: SymbolTable;
  /** The kernel and each of its modules, from the first symbol to the end of the last one's page. */
  readonly regions: readonly NamedRegion[];
}

/** What was read of a text, as it is handed from thread to thread. */
export interface MapColumns {
  /** The text, with a zero behind each name. */
  readonly bytes: Uint8Array;
  /** As of the line that distances count from. */
  readonly origin: bigint;
  readonly digits: number;
  readonly regions: readonly NamedRegion[];
  readonly columns: Omit<SymbolColumns, 'absolute'>;
  /** Of {@link SymbolTable.byAddress}. */
  readonly byAddress: Uint32Array;
}

const line = /^([0-9a-f]{8}|[0-9a-f]{16}) ([A-Za-z?]) (\S+)(?:[ \t]+\[([^\s\]]+)\])?\s*$/;
const codeLetters = 'TtWwi';
const dataLetters = 'BbDdGgRrSsVvu';
/** A space, the letter, a space. */
const betweenAddressAndName = 3;
const newLine = 0x0a;
/** Of eight digits, with a name of one letter. */
const shortestLine = 13;
const longestLine = 1024;
/** A kernel with all that distributions build for it has 200,000; what is behind so many more is left out. */
const mostSymbols = 2_000_000;
const pageSize = 4096n;
/** More regions than there are modules. */
const mostRegions = 10_000;
const noRegion = 0xffff;

/** Whether a file that begins like this is such a text. */
export function isSymbolMap(head: Uint8Array): boolean {
  const end = head.indexOf(newLine);
  return line.test(
    Buffer.from(head.subarray(0, Math.min(end < 0 ? head.length : end, longestLine))).toString('latin1'),
  );
}

/** Lines of another shape are left out. Throws {@link SymbolFileError} where no address is left. */
export function readSymbolMap(text: Uint8Array, path: string): MapColumns {
  const bytes = Buffer.concat([text, Buffer.alloc(1)]);
  const origin = findOrigin(bytes);
  if (!origin)
    throw new SymbolFileError(`${path} has address 0 for every symbol, as /proc/kallsyms has for all but root`);
  const { address, digits } = origin;
  const addresses = new Addresses(address, digits === 16 ? 8 : 4);
  const extents = new Extents(addresses);
  const most = Math.min(mostSymbols, Math.ceil(bytes.length / shortestLine));
  const nameAt = new Uint32Array(most);
  const distance = new Float64Array(most);
  const info = new Uint8Array(most);
  const section = new Uint16Array(most);
  let count = 0;
  for (const each of linesOf(bytes)) {
    if (count === most) break;
    bytes[each.nameEnd] = 0;
    const isAbsolute = 'Aa'.includes(each.letter);
    nameAt[count] = each.nameAt;
    distance[count] = isAbsolute ? Number.NaN : addresses.toDistance(each.address);
    info[count] = infoOf(each.letter);
    section[count] = isAbsolute ? noRegion : extents.take(each);
    count++;
  }
  const columns = { count, nameAt, distance, size: new Float64Array(count), info, section };
  const read = { bytes, origin: address, digits, regions: extents.regions, columns };
  return { ...read, byAddress: mapOf({ ...read, byAddress: undefined }).table.byAddress };
}

/** The map that was read. */
export function mapOf(
  read: Omit<MapColumns, 'byAddress'> & { readonly byAddress: Uint32Array | undefined },
): SymbolMap {
  const { bytes, origin, digits, regions, columns, byAddress } = read;
  const addresses = new Addresses(origin, digits === 16 ? 8 : 4);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const absolute = (entry: number) => {
    const end = (columns.nameAt[entry] as number) - betweenAddressAndName;
    return BigInt(`0x${text.toString('latin1', end - digits, end)}`);
  };
  return {
    addresses,
    table: new SymbolTable({ ...columns, absolute }, bytes, regions, addresses, byAddress),
    regions: regions.filter(({ size }) => size > 0),
  };
}

interface MapLine {
  readonly address: bigint;
  readonly digits: number;
  readonly letter: string;
  /** Where the name stands. */
  readonly nameAt: number;
  readonly nameEnd: number;
  /** Empty for the kernel's own. */
  readonly module: string;
}

/** Lines whose addresses have as many digits as the first one's. */
function* linesOf(bytes: Buffer): Generator<MapLine> {
  let width = 0;
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf(newLine, start);
    if (end < 0) end = bytes.length - 1;
    const found = end - start > longestLine ? null : line.exec(bytes.toString('latin1', start, end));
    const [, { length: digits } = '', letter = '', name = '', module = ''] = found ?? [];
    width ||= digits;
    if (!found || digits !== width) continue;
    const nameAt = start + digits + betweenAddressAndName;
    const address = BigInt(`0x${found[1]}`);
    yield { address, digits, letter, nameAt, nameEnd: nameAt + name.length, module };
  }
}

/** The first line of code, or else of anything, that has an address. */
function findOrigin(bytes: Buffer): MapLine | undefined {
  let other: MapLine | undefined;
  for (const each of linesOf(bytes)) {
    if (each.address === 0n) continue;
    if (codeLetters.includes(each.letter)) return each;
    other ??= each;
  }
  return other;
}

/** As ELF's st_info has it. */
function infoOf(letter: string): number {
  const binding = letter === letter.toUpperCase() ? 1 : 0;
  if (codeLetters.includes(letter)) return (binding << 4) | symbolTypes.func;
  return (binding << 4) | (dataLetters.includes(letter) ? symbolTypes.object : symbolTypes.noType);
}

/** From where to where the kernel and each module have symbols, in each half of the address space. */
class Extents {
  private readonly byKey = new Map<string, Extent>();

  constructor(private readonly addresses: Addresses) {}

  /** The number of the region that the symbol lies in. */
  take({ module, address, letter }: MapLine): number {
    const upper = this.addresses.isUpper(address);
    const key = `${upper} ${module}`;
    let extent = this.byKey.get(key);
    if (!extent) {
      if (this.byKey.size >= mostRegions) return noRegion;
      extent = { index: this.byKey.size, module, holds: upper, low: address, high: address };
      this.byKey.set(key, extent);
    }
    // What is at low addresses without any code are the offsets of Linux's per-CPU variables.
    if (codeLetters.includes(letter)) extent.holds = true;
    if (address < extent.low) extent.low = address;
    if (address > extent.high) extent.high = address;
    return extent.index;
  }

  get regions(): readonly NamedRegion[] {
    return [...this.byKey.values()].map(({ module, holds, low, high }) => {
      const end = (high / pageSize + 1n) * pageSize;
      return { name: module || 'kernel', address: low, size: holds ? Number(end - low) : 0 };
    });
  }
}

interface Extent {
  readonly index: number;
  readonly module: string;
  /** Whether addresses in it are places in memory. */
  holds: boolean;
  low: bigint;
  high: bigint;
}
