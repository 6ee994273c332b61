/** The records of `.BTF`, Linux's compact type information. Linux, Documentation/bpf/btf.rst. */
import { Cursor, offsetsOfString, stringAt } from './bytes.ts';
import type { DebugInfo } from './debug-info.ts';

export const btfKind = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  variable: 14,
  section: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

const magic = 0xeb9f;
const headBytes = 12;

/** Bytes behind a record's head: as many, and as many for each of its `count` parts. */
const tails = new Map<number, { readonly own: number; readonly part: number }>([
  [btfKind.int, { own: 4, part: 0 }],
  [btfKind.array, { own: 12, part: 0 }],
  [btfKind.struct, { own: 0, part: 12 }],
  [btfKind.union, { own: 0, part: 12 }],
  [btfKind.enum, { own: 0, part: 8 }],
  [btfKind.prototype, { own: 0, part: 8 }],
  [btfKind.variable, { own: 4, part: 0 }],
  [btfKind.section, { own: 0, part: 12 }],
  [btfKind.declarationTag, { own: 4, part: 0 }],
  [btfKind.enum64, { own: 0, part: 12 }],
]);
const noTail = { own: 0, part: 0 };
const lastKind = btfKind.enum64;

export interface BtfRecord {
  readonly kind: number;
  /** `kind_flag`, which means something else for each kind. */
  readonly flag: boolean;
  readonly name: string;
  /** A size in bytes or the number of another record. */
  readonly sizeOrType: number;
  /** Words behind the head, those of all parts in a row. */
  readonly words: DataView;
  /** Of its parts: members, enumerators, parameters. */
  readonly parts: number;
}

export class BtfTable {
  /** Where each record begins; number 0 is void, which has none. */
  private readonly starts: number[] = [0];
  /** Numbers of the records of each kind. */
  private readonly byKind = new Map<number, number[]>();
  private readonly view: DataView;
  private readonly types: Uint8Array;
  private readonly strings: Uint8Array;
  /** Whether its writer said of enumerations if they are signed; before Linux 6.0 none did. */
  readonly knowsSigns: boolean;

  /** Undefined for an image without, and for a module, whose records continue those of the kernel. */
  static of(info: DebugInfo): BtfTable | undefined {
    const section = info.elf.isRelocatable ? undefined : info.elf.section('.BTF');
    return section && info.tolerate(() => new BtfTable(info, info.elf.bytes(section)), undefined);
  }

  private constructor(info: DebugInfo, bytes: Uint8Array) {
    const header = new Cursor(bytes, 0, '.BTF');
    if (header.u16() !== magic) header.fail('does not begin with 9f eb');
    header.skip(2);
    const headerSize = header.u32();
    const [typesAt, typesSize, stringsAt, stringsSize] = [header.u32(), header.u32(), header.u32(), header.u32()];
    this.types = new Cursor(bytes, headerSize + typesAt, '.BTF').block(typesSize);
    this.strings = new Cursor(bytes, headerSize + stringsAt, '.BTF').block(stringsSize);
    this.view = new DataView(this.types.buffer, this.types.byteOffset, this.types.byteLength);
    this.knowsSigns = info.tolerate(() => this.scan(), false);
  }

  /** Finds where the records begin. Damage ends the table there. */
  private scan(): boolean {
    const cursor = new Cursor(this.types, 0, '.BTF types');
    let knowsSigns = false;
    while (cursor.left > 0) {
      const start = cursor.at;
      cursor.skip(4);
      const { kind, flag, parts } = infoOf(cursor.u32());
      cursor.skip(4);
      if (kind === 0 || kind > lastKind) cursor.fail(`kind ${kind} is not known`);
      const { own, part } = tails.get(kind) ?? noTail;
      cursor.skip(own + part * parts);
      const known = this.byKind.get(kind);
      if (known) known.push(this.starts.length);
      else this.byKind.set(kind, [this.starts.length]);
      this.starts.push(start);
      if (kind === btfKind.enum64 || (kind === btfKind.enum && flag)) knowsSigns = true;
    }
    return knowsSigns;
  }

  /** Undefined for void and for a number that there is no record of. */
  record(id: number): BtfRecord | undefined {
    const at = this.starts[id];
    if (id === 0 || at === undefined) return undefined;
    const { kind, flag, parts } = infoOf(this.view.getUint32(at + 4, true));
    const { own, part } = tails.get(kind) ?? noTail;
    const words = new DataView(this.types.buffer, this.types.byteOffset + at + headBytes, own + part * parts);
    const name = this.string(this.view.getUint32(at, true));
    return { kind, flag, name, sizeOrType: this.view.getUint32(at + 8, true), words, parts };
  }

  string(offset: number): string {
    return stringAt(this.strings, offset);
  }

  /** Numbers of the records of that name and one of these kinds. */
  named(name: string, kinds: ReadonlySet<number>): number[] {
    const offsets = offsetsOfString(this.strings, name);
    if (offsets.size === 0) return [];
    return this.numbersOf(kinds).filter((id) => offsets.has(this.view.getUint32(this.starts[id] as number, true)));
  }

  /** Number of the enumeration that has an enumerator of that name. */
  enumerationWith(name: string): number | undefined {
    const offsets = offsetsOfString(this.strings, name);
    if (offsets.size === 0) return undefined;
    return this.numbersOf(enumerations).find((id) => {
      const { kind, parts, words } = this.record(id) as BtfRecord;
      const { part } = tails.get(kind) ?? noTail;
      for (let index = 0; index < parts; index++) if (offsets.has(words.getUint32(index * part, true))) return true;
      return false;
    });
  }

  private numbersOf(kinds: ReadonlySet<number>): number[] {
    return [...kinds].flatMap((kind) => this.byKind.get(kind) ?? []);
  }
}

const enumerations: ReadonlySet<number> = new Set([btfKind.enum, btfKind.enum64]);

const infoOf = (info: number) => ({
  kind: (info >>> 24) & 0x1f,
  flag: info >>> 31 === 1,
  parts: info & 0xffff,
});
