/** A disk whose writes go to a file of their own, so that the one below never changes. */

import { randomUUID } from 'node:crypto';
import { openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Disk, SECTOR } from './disk.ts';
import { FileDisk } from './file-disk.ts';
import { SectorSet } from './sector-set.ts';

/** A file that has no name any more: it takes up what is written to it, and is gone with this process. */
function unnamedFile(): number {
  const path = join(tmpdir(), `ringside-overlay-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

export class OverlayDisk implements Disk {
  readonly sectors: number;
  readonly #base: Disk;
  readonly #changed: Disk;
  readonly #written = new SectorSet();

  constructor(base: Disk) {
    this.#base = base;
    this.sectors = base.sectors;
    this.#changed = new FileDisk(unnamedFile(), base.sectors);
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    const end = sector + into.length / SECTOR;
    for (let at = sector; at < end; ) {
      const count = this.#written.alike(at, end);
      const piece = into.subarray((at - sector) * SECTOR, (at - sector + count) * SECTOR);
      await (this.#written.has(at) ? this.#changed : this.#base).read(at, piece);
      at += count;
    }
  }

  async write(sector: number, data: Uint8Array): Promise<void> {
    await this.#changed.write(sector, data);
    this.#written.add(sector, sector + data.length / SECTOR);
  }

  /** What does not outlive the process need not reach the medium. */
  async flush(): Promise<void> {}

  close(): void {
    this.#changed.close();
    this.#base.close();
  }
}
