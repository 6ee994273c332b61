/** What a disk is to the devices in front of it. Sectors have 512 bytes; whoever asks stays within {@link Disk.sectors}. */
export const SECTOR = 512;

export interface Disk {
  readonly sectors: number;
  /** Fills `into`, whole sectors. */
  read(sector: number, into: Uint8Array): Promise<void>;
  write(sector: number, data: Uint8Array): Promise<void>;
  /** Resolves when what was written is on the medium. */
  flush(): Promise<void>;
  close(): void;
  /** For a disk that can be taken back to what it was; to be used while nothing is under way. */
  readonly snapshots?: DiskSnapshots;
}

/** Bytes of the unit in which changes to a disk are kept; most file systems write whole ones. */
export const BLOCK = 4096;

/** What a disk was like at some moment: for each block that differs from the image, where its copy is. */
export type DiskSnapshot = ReadonlyMap<number, number>;

/** Whole blocks with neighbouring numbers. */
export interface BlockRun {
  readonly first: number;
  readonly bytes: Uint8Array;
}

export interface DiskSnapshots {
  /** Copies nothing: what is written from now on goes elsewhere. */
  take(): DiskSnapshot;
  /** Makes the disk what it was; without a snapshot, what its image is. */
  restore(snapshot?: DiskSnapshot): void;
  remove(snapshot: DiskSnapshot): void;
  /** The blocks that differ from the image. */
  contents(snapshot: DiskSnapshot): AsyncIterable<BlockRun>;
  /** Adds a snapshot from elsewhere, by what {@link contents} gave. Rejects with a RangeError for a block beyond the disk. */
  adopt(contents: AsyncIterable<BlockRun>): Promise<DiskSnapshot>;
}
