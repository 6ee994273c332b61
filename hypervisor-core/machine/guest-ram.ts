/**
 * Guest RAM: a memfd that KVM maps and everybody else reads and writes by descriptor. RAM is one run of bytes in the
 * file and up to two in guest-physical space: what does not fit below the device hole goes on at 4 GiB. Behind it in the
 * file is the firmware's ROM, which ends at 4 GiB, and behind that the framebuffer.
 */
import { readSync, writeSync } from 'node:fs';
import { close, mapShared, memfd, punchHole, unmap } from '../kvm/libc.ts';
import { FRAMEBUFFER_ADDRESS } from '../protocol/framebuffer.ts';
import { PageSet } from './page-set.ts';

/** First address that is never RAM: from 3 GiB to 4 GiB are the chips' and devices' registers. */
const HOLE_START = 0xc000_0000;
const FOUR_GIB = 0x1_0000_0000;

/** A run of memory: guest-physical [gpa, gpa + size) lies in the memfd at `offset`. */
export interface RamRange {
  readonly gpa: number;
  readonly size: number;
  readonly offset: number;
  /** Neither the guest nor a device of its can write to ROM. */
  readonly kind: 'ram' | 'rom' | 'framebuffer';
}

/** Bytes of RAM, ROM and framebuffer, whole pages; 0 of what there is not. */
export interface MemorySize {
  readonly ramSize: number;
  readonly romSize: number;
  readonly framebufferSize: number;
}

/** Bytes of the file that holds it all. */
export const wholeSize = ({ ramSize, romSize, framebufferSize }: MemorySize): number =>
  ramSize + romSize + framebufferSize;

/** Where `size` bytes of RAM lie. */
export function ramRanges(size: number): RamRange[] {
  const low = Math.min(size, HOLE_START);
  const ranges: RamRange[] = [{ gpa: 0, size: low, offset: 0, kind: 'ram' }];
  if (size > low) ranges.push({ gpa: FOUR_GIB, size: size - low, offset: low, kind: 'ram' });
  return ranges;
}

/** All that lies in the file. */
function memoryRanges({ ramSize, romSize, framebufferSize }: MemorySize): RamRange[] {
  const others: RamRange[] = [
    { gpa: FOUR_GIB - romSize, size: romSize, offset: ramSize, kind: 'rom' },
    { gpa: FRAMEBUFFER_ADDRESS, size: framebufferSize, offset: ramSize + romSize, kind: 'framebuffer' },
  ];
  return [...ramRanges(ramSize), ...others.filter(({ size }) => size > 0)];
}

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
    this.size = wholeSize(memory);
    this.ranges = memoryRanges(memory);
    this.#written = written && new PageSet(this.size, written);
  }

  /** The bytes at `gpa` that are in one run: their place in the file, how many of `length` there are, and if they are ROM. */
  #clip(gpa: number, length: number): { offset: number; length: number; readOnly: boolean } {
    const range = this.ranges.find((run) => gpa >= run.gpa && gpa < run.gpa + run.size);
    if (!range) return { offset: 0, length: 0, readOnly: false };
    return {
      offset: range.offset + gpa - range.gpa,
      length: Math.min(length, range.gpa + range.size - gpa),
      readOnly: range.kind === 'rom',
    };
  }

  /** True when there is memory at `gpa`. */
  has(gpa: number): boolean {
    return this.#clip(gpa, 1).length === 1;
  }

  /** Where the byte at `gpa` lies in the file; undefined outside of what can be written. */
  place(gpa: number): number | undefined {
    const { offset, length, readOnly } = this.#clip(gpa, 1);
    return length === 1 && !readOnly ? offset : undefined;
  }

  /** Where the byte at `gpa` lies in the file; undefined where there is no memory. */
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
    const size = wholeSize(memory);
    super(memfd('ringside-ram', size), memory, written);
    this.address = mapShared(`mapping ${size} bytes of guest memory`, this.fd, size);
  }

  /** Address in this process of the byte at `gpa`; undefined outside of what can be written. */
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
