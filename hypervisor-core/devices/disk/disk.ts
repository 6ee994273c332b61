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
}
