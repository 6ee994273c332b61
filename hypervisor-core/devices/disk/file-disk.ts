/** A raw disk image: sector n of the disk is the file's bytes from n * 512 on. */
import { closeSync, fdatasync, fstatSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { type Disk, SECTOR } from './disk.ts';

const calls = { read: promisify(read), write: promisify(write), sync: promisify(fdatasync) };

export class FileDisk implements Disk {
  readonly sectors: number;
  readonly #fd: number;

  /** Takes over an open file. A file that ends within a sector reads as zeros from there to the sector's end. */
  constructor(fd: number, sectors = Math.ceil(fstatSync(fd).size / SECTOR)) {
    this.#fd = fd;
    this.sectors = sectors;
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await calls.read(this.#fd, into, done, into.length - done, sector * SECTOR + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    into.fill(0, done);
  }

  async write(sector: number, data: Uint8Array): Promise<void> {
    let done = 0;
    while (done < data.length) {
      const { bytesWritten } = await calls.write(this.#fd, data, done, data.length - done, sector * SECTOR + done);
      done += bytesWritten;
    }
  }

  flush(): Promise<void> {
    return calls.sync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
