/** The Multiboot2 header, version 2.0, section 3.1: found, and its tags read. */
import { BootError } from './boot-image.ts';

const HEADER_MAGIC = 0xe852_50d6;
const ARCHITECTURE_I386 = 0;
const SEARCHED_BYTES = 32768;
const HEADER_SIZE = 16;
const TAG_HEADER = 8;
const OPTIONAL = 1;
/** Information tags that the specification knows: a kernel may demand them, and find those that do not apply missing. */
const LAST_INFORMATION = 21;

const TAG = { end: 0, information: 1, address: 2, entry: 3, lastKnown: 10 };

export interface Multiboot2Header {
  /** Offset in the file. */
  readonly at: number;
  readonly length: number;
}

export interface Multiboot2Tags {
  readonly address?: {
    readonly headerAddress: number;
    readonly loadAddress: number;
    readonly loadEnd: number;
    readonly bssEnd: number;
  };
  readonly entry?: number;
}

/** Finds the header: 8-byte aligned, wholly in the first 32 KiB, for i386, with a right checksum. */
export function findMultiboot2Header(file: Uint8Array): Multiboot2Header | undefined {
  const view = new DataView(file.buffer, file.byteOffset, Math.min(file.byteLength, SEARCHED_BYTES));
  for (let at = 0; at + HEADER_SIZE <= view.byteLength; at += 8) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const architecture = view.getUint32(at + 4, true);
    const length = view.getUint32(at + 8, true);
    const sum = (HEADER_MAGIC + architecture + length + view.getUint32(at + 12, true)) & 0xffff_ffff;
    const whole = length >= HEADER_SIZE && at + length <= view.byteLength;
    if (sum === 0 && architecture === ARCHITECTURE_I386 && whole) return { at, length };
  }
  return undefined;
}

/** Reads the tags. Throws {@link BootError} for damaged ones and for demands that cannot be met. */
export function readMultiboot2Tags(name: string, file: Uint8Array, header: Multiboot2Header): Multiboot2Tags {
  const bad = (what: string) => new BootError(`${name}: the multiboot 2 header ${what}.`, 'Correct the header.');
  const view = new DataView(file.buffer, file.byteOffset + header.at, header.length);
  let tags: Multiboot2Tags = {};
  for (let at = HEADER_SIZE; at + TAG_HEADER <= header.length; ) {
    const type = view.getUint16(at, true);
    const flags = view.getUint16(at + 2, true);
    const size = view.getUint32(at + 4, true);
    const field = (offset: number) => view.getUint32(at + offset, true);
    if (type === TAG.end) return tags;
    if (size < TAG_HEADER || at + size > header.length) throw bad(`has a tag of type ${type} with the size ${size}`);
    const least = { [TAG.address]: 24, [TAG.entry]: 12 }[type] ?? TAG_HEADER;
    if (size < least) throw bad(`has a tag of type ${type} with ${size} bytes; it needs ${least}`);
    if (type === TAG.address) {
      tags = {
        ...tags,
        address: { headerAddress: field(8), loadAddress: field(12), loadEnd: field(16), bssEnd: field(20) },
      };
    } else if (type === TAG.entry) {
      tags = { ...tags, entry: field(8) };
    } else if (!(flags & OPTIONAL)) {
      if (type > TAG.lastKnown) throw bad(`demands a feature that does not exist (tag type ${type})`);
      for (let offset = 8; type === TAG.information && offset + 4 <= size; offset += 4) {
        if (field(offset) > LAST_INFORMATION) throw bad(`demands information of the unknown type ${field(offset)}`);
      }
    }
    at += Math.ceil(size / 8) * 8;
  }
  throw bad('has no end tag');
}
