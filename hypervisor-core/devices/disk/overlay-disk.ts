/**
 * A disk whose writes go to a file of their own, so that the one below never changes. A table says which blocks are in that
 * file, and where; a snapshot is a copy of the table, and a block that one has is not written over.
 */
import { BLOCK, type BlockRun, type Disk, type DiskSnapshot, type DiskSnapshots, SECTOR } from './disk.ts';
import { FileDisk } from './file-disk.ts';
import { SlotUses } from './slot-uses.ts';
import { unnamedFile } from './unnamed-file.ts';

const SECTORS = BLOCK / SECTOR;
/** Most blocks of one run of {@link OverlayDisk.contents}. */
const RUN = 256;

/** Sectors that lie one after the other: from `place` on in the file of changes or, when undefined, where they always were. */
interface Extent {
  readonly sector: number;
  readonly count: number;
  readonly place: number | undefined;
}

export class OverlayDisk implements Disk, DiskSnapshots {
  readonly sectors: number;
  readonly snapshots = this;
  readonly #base: Disk;
  readonly #changes: Disk;
  readonly #slots = new SlotUses();
  #table = new Map<number, number>();

  constructor(base: Disk) {
    this.#base = base;
    this.sectors = base.sectors;
    this.#changes = new FileDisk(unnamedFile('overlay'), Number.POSITIVE_INFINITY);
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    for (const { sector: at, count, place } of this.#extents(sector, sector + into.length / SECTOR)) {
      const piece = into.subarray((at - sector) * SECTOR, (at - sector + count) * SECTOR);
      await (place === undefined ? this.#base.read(at, piece) : this.#changes.read(place, piece));
    }
  }

  async write(sector: number, data: Uint8Array): Promise<void> {
    const end = sector + data.length / SECTOR;
    for (let block = Math.floor(sector / SECTORS); block * SECTORS < end; block++) {
      await this.#own(block, sector <= block * SECTORS && (block + 1) * SECTORS <= end);
    }
    for (const { sector: at, count, place } of this.#extents(sector, end)) {
      const piece = data.subarray((at - sector) * SECTOR, (at - sector + count) * SECTOR);
      if (place !== undefined) await this.#changes.write(place, piece);
    }
  }

  /** What does not outlive the process need not reach the medium. */
  async flush(): Promise<void> {}

  close(): void {
    this.#changes.close();
    this.#base.close();
  }

  take(): DiskSnapshot {
    for (const slot of this.#table.values()) this.#slots.share(slot);
    return new Map(this.#table);
  }

  restore(snapshot: DiskSnapshot = new Map()): void {
    for (const slot of snapshot.values()) this.#slots.share(slot);
    this.remove(this.#table);
    this.#table = new Map(snapshot);
  }

  remove(snapshot: DiskSnapshot): void {
    for (const slot of snapshot.values()) this.#slots.release(slot);
  }

  async *contents(snapshot: DiskSnapshot): AsyncGenerator<BlockRun> {
    const blocks = [...snapshot].sort(([a], [b]) => a - b);
    for (let at = 0; at < blocks.length; ) {
      const [first, slot] = blocks[at] ?? [0, 0];
      let count = 1;
      const follows = ([block, place]: readonly [number, number]) => block === first + count && place === slot + count;
      while (count < RUN && follows(blocks[at + count] ?? [-1, -1])) count++;
      const bytes = new Uint8Array(count * BLOCK);
      await this.#changes.read(slot * SECTORS, bytes);
      yield { first, bytes };
      at += count;
    }
  }

  async adopt(contents: AsyncIterable<BlockRun>): Promise<DiskSnapshot> {
    const table = new Map<number, number>();
    try {
      for await (const { first, bytes } of contents) {
        for (let at = 0; at < bytes.length; at += BLOCK) {
          const block = first + at / BLOCK;
          if (block * SECTORS >= this.sectors || table.has(block))
            throw new RangeError(`block ${block} is not expected`);
          const slot = this.#slots.allocate();
          table.set(block, slot);
          await this.#changes.write(slot * SECTORS, bytes.subarray(at, at + BLOCK));
        }
      }
    } catch (error) {
      this.remove(table);
      throw error;
    }
    return table;
  }

  /** Gives a block a place that no snapshot has; what is in it matters unless all of it is to be written. */
  async #own(block: number, whole: boolean): Promise<void> {
    const old = this.#table.get(block);
    if (old !== undefined && !this.#slots.shared(old)) return;
    const slot = this.#slots.allocate();
    try {
      if (!whole) {
        const bytes = new Uint8Array(BLOCK);
        await this.read(block * SECTORS, bytes);
        await this.#changes.write(slot * SECTORS, bytes);
      }
    } catch (error) {
      this.#slots.release(slot);
      throw error;
    }
    if (old !== undefined) this.#slots.release(old);
    this.#table.set(block, slot);
  }

  /** The sectors of [first, end) in as few pieces as they lie in. */
  *#extents(first: number, end: number): Generator<Extent> {
    for (let sector = first; sector < end; ) {
      const place = this.#place(sector);
      let count = 1;
      const next = () => (place === undefined ? undefined : place + count);
      while (sector + count < end && this.#place(sector + count) === next()) count++;
      yield { sector, count, place };
      sector += count;
    }
  }

  #place(sector: number): number | undefined {
    const slot = this.#table.get(Math.floor(sector / SECTORS));
    return slot === undefined ? undefined : slot * SECTORS + (sector % SECTORS);
  }
}
