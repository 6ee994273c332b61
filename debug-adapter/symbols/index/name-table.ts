/**
 * Names of an image and where they are defined, in columns of numbers: a kernel has two million entries. A name is
 * stored as a hash; whoever looks one up compares the entry's own name.
 */
import { type NameSink, repeatedTags, variableDeclaration } from './unit-names.ts';

/** All columns, as they are handed from thread to thread and kept on disk. */
export interface NameColumns {
  /** First name of each bucket, one more than there are buckets, which are a power of two. */
  readonly buckets: Uint32Array;
  /** Hash of each name, by bucket. */
  readonly hashes: Uint32Array;
  /** First entry of each name, one more than there are names. */
  readonly starts: Uint32Array;
  readonly tags: Uint8Array;
  /** As in `UnitHeader.offset`; of an enumerator, its enumeration. */
  readonly dies: Uint32Array;
}

export class NameTable {
  constructor(private readonly columns: NameColumns) {}

  /** Entries that may have that name and one of the tags, in the file's order. */
  *find(name: string, tags: ReadonlySet<number>): Generator<{ tag: number; die: number }> {
    const { buckets, hashes, starts, tags: all, dies } = this.columns;
    const bytes = Buffer.from(name, 'utf8');
    const hash = hashOf(bytes, 0, bytes.length);
    const bucket = hash & (buckets.length - 2);
    const end = buckets[bucket + 1] ?? 0;
    for (let id = buckets[bucket] ?? 0; id < end; id++) {
      if (hashes[id] !== hash) continue;
      for (let entry = starts[id] ?? 0; entry < (starts[id + 1] ?? 0); entry++) {
        const found = all[entry] as number;
        if (tags.has(found)) yield { tag: found, die: dies[entry] as number };
      }
    }
  }
}

const largestStrings = 16 * 1024 * 1024;

/** Kinds of which one entry for a name is enough. */
const onceKinds = [...repeatedTags, variableDeclaration];
/** A bit for each of them, by tag; 0 for the others. */
const once = Uint8Array.from({ length: 256 }, (_, each) => {
  const bit = onceKinds.indexOf(each);
  return bit < 0 ? 0 : 1 << bit;
});

export class NameTableBuilder implements NameSink {
  private names = 0;
  /** Two hashes of each name, which together tell names apart. */
  private hashes = new Uint32Array(1024);
  private checks = new Uint32Array(1024);
  private seen = new Uint8Array(1024);
  /** Open addressing: name + 1, by hash. */
  private slots = new Uint32Array(4096);
  private entries = 0;
  private ids = new Uint32Array(4096);
  private tags = new Uint8Array(4096);
  private dies = new Uint32Array(4096);
  /**
   * By offset in the string section: name + 1, and in the lower 8 bits {@link once}'s of which there is an entry. Not kept
   * for a section that is very large.
   */
  private readonly ofOffset: Uint32Array;

  /**
   * @param strings `.debug_str`.
   * @param isWhole Whether the table is for many units, which repeat their strings.
   */
  constructor(
    private readonly strings: Uint8Array,
    isWhole = true,
  ) {
    this.ofOffset = new Uint32Array(isWhole && strings.length <= largestStrings ? strings.length : 0);
  }

  atOffset(offset: number, kind: number, die: number): void {
    const known = this.ofOffset[offset] ?? 0;
    const bit = once[kind] ?? 0;
    if (known & bit) return;
    const id = known > 0 ? (known >>> 8) - 1 : this.idOf(this.strings, offset, this.strings.length);
    if (offset < this.ofOffset.length) this.ofOffset[offset] = ((id + 1) << 8) | (known & 0xff) | bit;
    this.add(id, kind, die);
  }

  inBytes(bytes: Uint8Array, at: number, kind: number, die: number): void {
    this.add(this.idOf(bytes, at, bytes.length), kind, die);
  }

  asText(name: string, kind: number, die: number): void {
    const bytes = Buffer.from(name, 'utf8');
    this.add(this.idOf(bytes, 0, bytes.length), kind, die);
  }

  finish(): NameColumns {
    const { names, entries } = this;
    const size = 2 ** Math.ceil(Math.log2(names + 1));
    const bucketOf = this.hashes.subarray(0, names).map((hash) => hash & (size - 1));
    const byBucket = grouped(size, bucketOf);
    const place = new Uint32Array(names);
    const hashes = new Uint32Array(names);
    for (let at = 0; at < names; at++) {
      const id = byBucket.order[at] as number;
      place[id] = at;
      hashes[at] = this.hashes[id] as number;
    }
    const nameOf = this.ids.subarray(0, entries);
    for (let entry = 0; entry < entries; entry++) nameOf[entry] = place[nameOf[entry] as number] as number;
    const byName = grouped(names, nameOf);
    const tags = new Uint8Array(entries);
    const dies = new Uint32Array(entries);
    for (let at = 0; at < entries; at++) {
      const entry = byName.order[at] as number;
      tags[at] = this.tags[entry] as number;
      dies[at] = this.dies[entry] as number;
    }
    return { buckets: byBucket.starts, hashes, starts: byName.starts, tags, dies };
  }

  private add(id: number, kind: number, die: number): void {
    const bit = once[kind] ?? 0;
    if (bit > 0) {
      if ((this.seen[id] as number) & bit) return;
      this.seen[id] = (this.seen[id] as number) | bit;
    }
    if (this.entries === this.ids.length) {
      const size = this.entries * 2;
      this.ids = larger(new Uint32Array(size), this.ids);
      this.tags = larger(new Uint8Array(size), this.tags);
      this.dies = larger(new Uint32Array(size), this.dies);
    }
    this.ids[this.entries] = id;
    this.tags[this.entries] = kind;
    this.dies[this.entries] = die;
    this.entries++;
  }

  private idOf(bytes: Uint8Array, from: number, to: number): number {
    const hash = hashOf(bytes, from, to);
    const check = checkOf(bytes, from, to);
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    for (; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      const id = (this.slots[slot] as number) - 1;
      if (this.hashes[id] === hash && this.checks[id] === check) return id;
    }
    const id = this.names++;
    if (id === this.hashes.length) {
      this.hashes = larger(new Uint32Array(id * 2), this.hashes);
      this.checks = larger(new Uint32Array(id * 2), this.checks);
      this.seen = larger(new Uint8Array(id * 2), this.seen);
    }
    this.hashes[id] = hash;
    this.checks[id] = check;
    this.slots[slot] = id + 1;
    if (this.names * 2 > this.slots.length) this.rehash();
    return id;
  }

  private rehash(): void {
    this.slots = new Uint32Array(this.slots.length * 2);
    const mask = this.slots.length - 1;
    for (let id = 0; id < this.names; id++) {
      let slot = (this.hashes[id] as number) & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = id + 1;
    }
  }
}

function larger<T extends Uint8Array | Uint32Array>(into: T, from: T): T {
  into.set(from);
  return into;
}

/** Sorts the indices of `groupOf` by group, in order within each; `starts` has where each group begins, and the end. */
function grouped(groups: number, groupOf: Uint32Array): { starts: Uint32Array; order: Uint32Array } {
  const starts = new Uint32Array(groups + 1);
  for (const group of groupOf) starts[group + 1] = (starts[group + 1] as number) + 1;
  for (let group = 0; group < groups; group++)
    starts[group + 1] = (starts[group + 1] as number) + (starts[group] as number);
  const next = starts.slice();
  const order = new Uint32Array(groupOf.length);
  for (let index = 0; index < groupOf.length; index++) {
    const group = groupOf[index] as number;
    const at = next[group] as number;
    order[at] = index;
    next[group] = at + 1;
  }
  return { starts, order };
}

/** FNV-1a up to a zero byte. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === 0) break;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** Another hash, so that different names of one hash are told apart while the table is made. */
function checkOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === 0) break;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  return hash >>> 0;
}
