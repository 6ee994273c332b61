/** A symbol table by address and by name: `.symtab` of the System V ABI, chapter 4, or what was read in its terms. */
import { type Addresses, lastAtMost, sortedOrder } from './addresses.ts';
import type { ImageSymbol } from './api.ts';
import { offsetsOfString, stringAt } from './bytes.ts';
import type { ElfFile } from './elf.ts';
import { type FunctionName, lastOf, means, parseFunctionName } from './function-name.ts';
import { isMangled, readableName } from './readable-name.ts';

export const symbolTypes = { noType: 0, object: 1, func: 2, section: 3, file: 4, ifunc: 10 } as const;
const undefinedSection = 0;
const absoluteSection = 0xfff1;
/** Symbols at lower addresses that are looked at for one that covers an address. */
const coverSteps = 64;
/** What compilers put apart of a function is not where it is entered. */
const coldPart = '[clone .cold';

/** Columns with one element for each symbol that names something, in the file's order: a kernel has 100,000 of them. */
export interface SymbolColumns {
  readonly count: number;
  /** Where in the strings each name begins, up to a zero. */
  readonly nameAt: Uint32Array;
  /** Of `Addresses`; NaN for an absolute value. */
  readonly distance: Float64Array;
  readonly size: Float64Array;
  /** st_info: type in the lower four bits, binding in the upper. */
  readonly info: Uint8Array;
  /** Which of the regions it lies in; another number for none. */
  readonly section: Uint16Array;
  /** The value of one that is absolute. */
  absolute(entry: number): bigint;
}

/** A stretch of memory that symbols lie in: a loaded section. */
export interface Region {
  readonly address: bigint;
  readonly size: number;
}

export class SymbolTable {
  /** Entries whose names are mangled. */
  private mangled: Uint32Array | undefined;

  constructor(
    private readonly columns: SymbolColumns,
    private readonly strings: Uint8Array,
    private readonly regions: readonly Region[],
    private readonly addresses: Addresses,
    /** {@link SymbolTable.byAddress} where it is known. */
    private sorted?: Uint32Array,
  ) {}

  static ofElf(elf: ElfFile, addresses: Addresses): SymbolTable {
    const table = elf.section('.symtab');
    const strings = elf.bytes(table && elf.sections[table.link]);
    return new SymbolTable(readColumns(elf.bytes(table), elf, addresses), strings, elf.sections, addresses);
  }

  /** The symbol that covers `distance`, or else the nearest one below it in the same section. */
  at(distance: number): ImageSymbol | undefined {
    const order = this.byAddress;
    const { distance: distances, size } = this.columns;
    let index = lastAtMost(order.length, (at) => distances[order[at] as number] as number, distance);
    const nearest = order[index];
    if (nearest === undefined) return undefined;
    for (let steps = 0; index >= 0 && steps < coverSteps; index--, steps++) {
      const entry = order[index] as number;
      if (distance < (distances[entry] as number) + (size[entry] as number)) return this.symbol(entry);
    }
    const section = this.sectionOf(nearest);
    const into = section ? distance - this.addresses.toDistance(section.address) : -1;
    return section && into >= 0 && into < section.size ? this.symbol(nearest) : undefined;
  }

  named(name: string): ImageSymbol[] {
    const wanted = offsetsOfString(this.strings, name);
    const found: ImageSymbol[] = [];
    if (wanted.size === 0) return found;
    const { count, nameAt } = this.columns;
    for (let entry = 0; entry < count; entry++) if (wanted.has(nameAt[entry] as number)) found.push(this.symbol(entry));
    return found;
  }

  /** Code of that name, or of one that C++ or Rust writes so, each address once. */
  functions(name: string): ImageSymbol[] {
    const found = [...this.named(name).filter(({ kind }) => kind !== 'object'), ...this.meant(parseFunctionName(name))];
    return [...new Map(found.map((symbol) => [symbol.address, symbol])).values()];
  }

  /** Functions with mangled names that `wanted` means, as they are or as they read. */
  meant(wanted: FunctionName): ImageSymbol[] {
    // A mangled name has the parts of the readable one as they are, but for `~` and the names of operators.
    const letters = /\w*/.exec(lastOf(wanted).base.replace('~', ''))?.[0] ?? '';
    const part = Buffer.from(letters === 'operator' ? '' : letters, 'utf8');
    const found: ImageSymbol[] = [];
    for (const entry of this.mangledEntries) {
      const at = this.columns.nameAt[entry] as number;
      if (!this.nameHas(at, part)) continue;
      const name = stringAt(this.strings, at);
      const readable = readableName(name);
      const isMeant = name === lastOf(wanted).base || means(wanted, parseFunctionName(readable));
      if (readable.includes(coldPart) || !isMeant) continue;
      const symbol = this.symbol(entry);
      if (symbol.kind !== 'object') found.push(symbol);
    }
    return found;
  }

  private get mangledEntries(): Uint32Array {
    if (!this.mangled) {
      const { count, nameAt } = this.columns;
      const found: number[] = [];
      for (let entry = 0; entry < count; entry++)
        if (isMangled(this.strings, nameAt[entry] as number)) found.push(entry);
      this.mangled = Uint32Array.from(found);
    }
    return this.mangled;
  }

  private nameHas(start: number, part: Uint8Array): boolean {
    const { strings } = this;
    for (let at = start; at + part.length <= strings.length && strings[at] !== 0; at++) {
      let same = 0;
      while (same < part.length && strings[at + same] === part[same]) same++;
      if (same === part.length) return true;
    }
    return false;
  }

  /** The first names in alphabetical order that start with `prefix`. */
  withPrefix(prefix: string, limit: number): string[] {
    const start = Buffer.from(prefix, 'utf8');
    const { count, nameAt } = this.columns;
    const found = new Set<string>();
    for (let entry = 0; entry < count; entry++) {
      const at = nameAt[entry] as number;
      let same = 0;
      while (same < start.length && this.strings[at + same] === start[same]) same++;
      if (same === start.length) found.add(stringAt(this.strings, at));
    }
    found.delete('');
    return [...found].sort().slice(0, limit);
  }

  /** Symbols in loaded sections by address, then as {@link at} prefers them: best last. */
  get byAddress(): Uint32Array {
    if (!this.sorted) {
      const { count, distance } = this.columns;
      const placed = new Uint32Array(count);
      let length = 0;
      for (let entry = 0; entry < count; entry++)
        if (!Number.isNaN(distance[entry]) && this.sectionOf(entry)) placed[length++] = entry;
      const keys = Float64Array.from(placed.subarray(0, length), (entry) => distance[entry] as number);
      this.sorted = sortedOrder(keys).map((at) => placed[at] as number);
      this.preferLast(this.sorted);
    }
    return this.sorted;
  }

  /** Among symbols at one address puts the one that {@link at} is to give last. */
  private preferLast(order: Uint32Array): void {
    const { distance } = this.columns;
    for (let first = 0; first < order.length; ) {
      let end = first + 1;
      while (end < order.length && distance[order[end] as number] === distance[order[first] as number]) end++;
      if (end > first + 1) order.subarray(first, end).sort((a, b) => this.rank(a) - this.rank(b) || a - b);
      first = end;
    }
  }

  private sectionOf(entry: number): Region | undefined {
    return this.regions[this.columns.section[entry] as number];
  }

  /** Among symbols at one address: typed before untyped, sized before unsized, global before local. */
  private rank(entry: number): number {
    const info = this.columns.info[entry] as number;
    const typed = (info & 15) !== symbolTypes.noType ? 4 : 0;
    return typed + ((this.columns.size[entry] as number) > 0 ? 2 : 0) + (info >> 4 !== 0 ? 1 : 0);
  }

  private symbol(entry: number): ImageSymbol {
    const { nameAt, distance, size, info } = this.columns;
    const type = (info[entry] as number) & 15;
    const isFunction = type === symbolTypes.func || type === symbolTypes.ifunc;
    const place = distance[entry] as number;
    return {
      name: stringAt(this.strings, nameAt[entry] as number),
      address: Number.isNaN(place) ? this.columns.absolute(entry) : this.addresses.toGuest(place),
      size: BigInt(size[entry] as number),
      kind: isFunction ? 'function' : type === symbolTypes.object ? 'object' : 'other',
      global: (info[entry] as number) >> 4 !== 0,
    };
  }
}

function readColumns(bytes: Uint8Array, elf: ElfFile, addresses: Addresses): SymbolColumns {
  const { wordSize } = elf;
  /** In a relocatable file a value counts from its section. */
  const starts = elf.isRelocatable
    ? elf.sections.map(({ address }) => addresses.toDistance(address) - addresses.toDistance(0n))
    : [];
  const entrySize = wordSize === 8 ? 24 : 16;
  const [valueAt, sizeAt, infoAt] = wordSize === 8 ? [8, 16, 4] : [4, 8, 12];
  const most = Math.floor(bytes.length / entrySize);
  const nameAt = new Uint32Array(most);
  const distance = new Float64Array(most);
  const size = new Float64Array(most);
  const info = new Uint8Array(most);
  const section = new Uint16Array(most);
  const positions = new Uint32Array(most);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let count = 0;
  // The first entry is reserved.
  for (let index = 1; index < most; index++) {
    const at = index * entrySize;
    const type = (bytes[at + infoAt] as number) & 15;
    const where = view.getUint16(at + infoAt + 2, true);
    if (where === undefinedSection || type === symbolTypes.section || type === symbolTypes.file) continue;
    nameAt[count] = view.getUint32(at, true);
    distance[count] =
      where === absoluteSection ? Number.NaN : addresses.read(view, at + valueAt) + (starts[where] ?? 0);
    const low = view.getUint32(at + sizeAt, true);
    size[count] = wordSize === 8 ? low + view.getUint32(at + sizeAt + 4, true) * 2 ** 32 : low;
    info[count] = bytes[at + infoAt] as number;
    section[count] = where;
    positions[count] = at;
    count++;
  }
  return {
    count,
    nameAt,
    distance,
    size,
    info,
    section,
    absolute: (entry) => {
      const at = (positions[entry] as number) + valueAt;
      return wordSize === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
    },
  };
}
