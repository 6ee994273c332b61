/**
 * Guest RAM: a memfd that KVM maps and everybody else reads and writes by descriptor. RAM is one run of bytes in the
 * file and up to two in guest-physical space: what does not fit below the device hole goes on at 4 GiB. Behind it in the
 * file is the firmware's ROM, which ends at 4 GiB.
 */
import { readSync, writeSync } from 'node:fs';
import { close, mapShared, memfd, punchHole, unmap } from '../kvm/libc.ts';
import { PageSet } from './page-set.ts';

/** First address that is never RAM: from 3 GiB to 4 GiB are the chips' and devices' registers. */
const HOLE_START = 0xc000_0000;
const FOUR_GIB = 0x1_0000_0000;

/** A run of memory: guest-physical [gpa, gpa + size) lies in the memfd at `offset`. */
export interface RamRange {
  readonly gpa: number;
  readonly size: number;
  readonly offset: number;
  /** ROM: neither the guest nor a device of its can write there. */
  readonly readOnly?: boolean;
}

/** Bytes of RAM and ROM, whole pages. */
export interface MemorySize {
  readonly ramSize: number;
  readonly romSize: number;
}

/** Where `size` bytes of RAM lie. */
export function ramRanges(size: number): RamRange[] {
  const low = Math.min(size, HOLE_START);
  const ranges = [{ gpa: 0, size: low, offset: 0 }];
  if (size > low) ranges.push({ gpa: FOUR_GIB, size: size - low, offset: low });
  return ranges;
}

const romRanges = ({ ramSize, romSize }: MemorySize): RamRange[] =>
  romSize > 0 ? [{ gpa: FOUR_GIB - romSize, size: romSize, offset: ramSize, readOnly: true }] : [];

/** Reads and writes guest memory through its descriptor; every thread can have one. */
export class RamFile {
  readonly fd: number;
  /** Bytes of the file. */
  readonly size: number;
  readonly ranges: readonly RamRange[];
  /** Pages that were written by this process rather than by the guest. */
  readonly #written: PageSet | undefined;

  /** `written`: shared memory of {@link pageSetBytes} bytes, where it is to be noted which pages are written here. */
  constructor(fd: number, memory: MemorySize, written?: SharedArrayBuffer) {
    this.fd = fd;
    this.size = memory.ramSize + memory.romSize;
    this.ranges = [...ramRanges(memory.ramSize), ...romRanges(memory)];
    this.#written = written && new PageSet(this.size, written);
  }

  /** The bytes at `gpa` that are in one run: their place in the file, how many of `length` there are, and if they are ROM. */
  #clip(gpa: number, length: number): { offset: number; length: number; readOnly: boolean } {
    const range = this.ranges.find((run) => gpa >= run.gpa && gpa < run.gpa + run.size);
    if (!range) return { offset: 0, length: 0, readOnly: false };
    return {
      offset: range.offset + gpa - range.gpa,
      length: Math.min(length, range.gpa + range.size - gpa),
      readOnly: range.readOnly ?? false,
    };
  }

  /** True when `gpa` is RAM or ROM. */
  has(gpa: number): boolean {
    return this.#clip(gpa, 1).length === 1;
  }

  /** Where the byte at `gpa` lies in the file; undefined outside of RAM. */
  place(gpa: number): number | undefined {
    const { offset, length, readOnly } = this.#clip(gpa, 1);
    return length === 1 && !readOnly ? offset : undefined;
  }

  /** Where the byte at `gpa` lies in the file, RAM or ROM; undefined elsewhere. */
  offset(gpa: number): number | undefined {
    const { offset, length } = this.#clip(gpa, 1);
    return length === 1 ? offset : undefined;
  }

  /** Notes a write that went past {@link write}. */
  noteWritten(offset: number, length: number): void {
    this.#written?.addBytes(offset, length);
  }

  /** Bytes from `gpa`, fewer where the memory ends. */
  read(gpa: number, length: number): Uint8Array {
    const place = this.#clip(gpa, length);
    const bytes = new Uint8Array(place.length);
    if (place.length > 0) readSync(this.fd, bytes, 0, place.length, place.offset);
    return bytes;
  }

  /** As the guest and its devices write: number of bytes written, fewer where RAM ends, none into ROM. */
  write(gpa: number, data: Uint8Array): number {
    return this.#clip(gpa, 1).readOnly ? 0 : this.patch(gpa, data);
  }

  /** As a debugger or loader writes, into ROM, too: number of bytes written, fewer where the memory ends. */
  patch(gpa: number, data: Uint8Array): number {
    const place = this.#clip(gpa, data.length);
    if (place.length > 0) writeSync(this.fd, data, 0, place.length, place.offset);
    this.#written?.addBytes(place.offset, place.length);
    return place.length;
  }
}

/** The owner's end: makes the memfd and the mapping that KVM's memory slots point into. */
export class GuestRam extends RamFile {
  /** Address of the first byte in this process. */
  readonly address: number;

  constructor(memory: MemorySize, written?: SharedArrayBuffer) {
    const size = memory.ramSize + memory.romSize;
    super(memfd('ringside-ram', size), memory, written);
    this.address = mapShared(`mapping ${size} bytes of guest memory`, this.fd, size);
  }

  /** Address in this process of the byte at `gpa`; undefined outside of RAM. */
  host(gpa: number): bigint | undefined {
    const place = this.place(gpa);
    return place === undefined ? undefined : BigInt(this.address + place);
  }

  /** Fills `into` from `offset` of the file. */
  readFile(offset: number, into: Uint8Array): void {
    readSync(this.fd, into, 0, into.length, offset);
  }

  /** Writes at `offset` of the file, without it being noted which pages were written. */
  writeFile(offset: number, bytes: Uint8Array): void {
    writeSync(this.fd, bytes, 0, bytes.length, offset);
  }

  /** Makes all of it zero, as it is at power-on. */
  clear(): void {
    punchHole(this.fd, 0, this.size);
  }

  close(): void {
    unmap(this.address, this.size);
    close(this.fd);
  }
}
