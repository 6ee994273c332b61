/** The symbol table, `.symtab`, by address and by name. System V ABI, chapter 4. */
import { type Addresses, lastAtMost } from './addresses.ts';
import type { ImageSymbol } from './api.ts';
import { Cursor, stringAt } from './bytes.ts';
import type { ElfFile, ElfSection } from './elf.ts';

const symbolTypes = { noType: 0, object: 1, func: 2, section: 3, file: 4, ifunc: 10 } as const;
const undefinedSection = 0;
const absoluteSection = 0xfff1;

interface Entry {
  readonly nameAt: number;
  readonly address: bigint;
  readonly distance: number;
  readonly size: number;
  readonly type: number;
  readonly bind: number;
  readonly section: number;
}

export class SymbolTable {
  private readonly strings: Uint8Array;
  /** In the file's order. */
  private readonly entries: readonly Entry[];
  /** Places in loaded sections, sorted by address, then as symbolAt prefers them: best last. */
  private readonly byAddress: readonly Entry[];
  private names: Map<string, Entry[]> | undefined;
  private sortedNames: string[] | undefined;

  constructor(
    private readonly elf: ElfFile,
    private readonly addresses: Addresses,
  ) {
    const table = elf.section('.symtab');
    this.strings = elf.bytes(table && elf.sections[table.link]);
    this.entries = table ? this.read(table) : [];
    this.byAddress = this.entries
      .filter((entry) => !Number.isNaN(entry.distance) && this.sectionOf(entry))
      .sort((a, b) => a.distance - b.distance || this.rank(a) - this.rank(b));
  }

  /** The symbol that covers `distance`, or else the nearest one below it in the same section. */
  at(distance: number): ImageSymbol | undefined {
    const list = this.byAddress;
    let index = lastAtMost(list.length, (at) => (list[at] as Entry).distance, distance);
    const nearest = list[index];
    if (!nearest) return undefined;
    for (let steps = 0; index >= 0 && steps < 64; index--, steps++) {
      const entry = list[index] as Entry;
      if (distance < entry.distance + entry.size) return this.symbol(entry);
    }
    const section = this.sectionOf(nearest);
    const into = section ? distance - this.addresses.toDistance(section.address) : -1;
    return section && into >= 0 && into < section.size ? this.symbol(nearest) : undefined;
  }

  named(name: string): ImageSymbol[] {
    return (this.byName.get(name) ?? []).map((entry) => this.symbol(entry));
  }

  withPrefix(prefix: string, limit: number): string[] {
    this.sortedNames ??= [...this.byName.keys()].sort();
    const names = this.sortedNames;
    let low = 0;
    let high = names.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((names[middle] as string) < prefix) low = middle + 1;
      else high = middle;
    }
    const found: string[] = [];
    for (; found.length < limit && names[low]?.startsWith(prefix); low++) found.push(names[low] as string);
    return found;
  }

  private get byName(): Map<string, Entry[]> {
    if (!this.names) {
      this.names = new Map();
      for (const entry of this.entries) {
        const name = stringAt(this.strings, entry.nameAt);
        const same = this.names.get(name);
        if (same) same.push(entry);
        else if (name !== '') this.names.set(name, [entry]);
      }
    }
    return this.names;
  }

  private read(table: ElfSection): Entry[] {
    const wide = this.elf.wordSize === 8;
    const cursor = new Cursor(this.elf.bytes(table), 0, '.symtab');
    const entries: Entry[] = [];
    const entrySize = wide ? 24 : 16;
    for (cursor.skip(Math.min(entrySize, cursor.left)); cursor.left >= entrySize; ) {
      const nameAt = cursor.u32();
      let address = wide ? 0n : cursor.unsigned(4);
      let size = wide ? 0 : cursor.u32();
      const info = cursor.u8();
      cursor.skip(1);
      const section = cursor.u16();
      if (wide) {
        address = cursor.u64();
        size = Number(cursor.u64());
      }
      const type = info & 15;
      if (section === undefinedSection || type === symbolTypes.section || type === symbolTypes.file) continue;
      const distance = section === absoluteSection ? Number.NaN : this.addresses.toDistance(address);
      entries.push({ nameAt, address, distance, size, type, bind: info >> 4, section });
    }
    return entries;
  }

  private sectionOf(entry: Entry): ElfSection | undefined {
    return this.elf.sections[entry.section];
  }

  /** Among symbols at one address: typed before untyped, sized before unsized, global before local. */
  private rank(entry: Entry): number {
    return (entry.type !== symbolTypes.noType ? 4 : 0) + (entry.size > 0 ? 2 : 0) + (entry.bind !== 0 ? 1 : 0);
  }

  private symbol(entry: Entry): ImageSymbol {
    const isFunction = entry.type === symbolTypes.func || entry.type === symbolTypes.ifunc;
    return {
      name: stringAt(this.strings, entry.nameAt),
      address: Number.isNaN(entry.distance) ? entry.address : this.addresses.toAddress(entry.distance),
      size: BigInt(entry.size),
      kind: isFunction ? 'function' : entry.type === symbolTypes.object ? 'object' : 'other',
      global: entry.bind !== 0,
    };
  }
}
