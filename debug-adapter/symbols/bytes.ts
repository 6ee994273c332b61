/** Bounds-checked reading of little-endian bytes that came from a file. */
import { SymbolFileError } from './api.ts';

/** Longest string that is taken from a file; longer ones are cut. */
const maximumString = 64 * 1024;

/** A position in a section's bytes. Every read past the end throws {@link SymbolFileError} with section and offset. */
export class Cursor {
  private dataView: DataView | undefined;

  /**
   * @param where Section name, for messages.
   * @param origin Offset in the section of the first of `bytes`, for messages.
   */
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly where: string,
    readonly end: number = bytes.length,
    readonly origin = 0,
  ) {
    if (!(at >= 0 && at <= end && end <= bytes.length)) this.fail('points outside the section');
  }

  /** Made when it is needed: many a cursor reads but a number of one byte. */
  private get view(): DataView {
    this.dataView ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    return this.dataView;
  }

  get left(): number {
    return this.end - this.at;
  }

  error(what: string): SymbolFileError {
    return new SymbolFileError(`${this.where}, offset 0x${(this.origin + this.at).toString(16)}: ${what}`);
  }

  fail(what: string): never {
    throw this.error(what);
  }

  private take(length: number): number {
    const at = this.at;
    if (!(length >= 0 && length <= this.end - at)) this.fail('data ends too early');
    this.at = at + length;
    return at;
  }

  skip(length: number): void {
    this.take(length);
  }

  u8(): number {
    return this.bytes[this.take(1)] as number;
  }

  i8(): number {
    return this.view.getInt8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u24(): number {
    const at = this.take(3);
    return this.view.getUint16(at, true) | (this.view.getUint8(at + 2) << 16);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  /** A 64-bit value that must be small, as sizes and offsets are. */
  u64AsNumber(): number {
    const at = this.take(8);
    const value = this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
    if (!Number.isSafeInteger(value)) this.fail('64-bit offset or size is out of range');
    return value;
  }

  /** A DWARF offset or an ELF word: 4 or 8 bytes. */
  word(size: number): number {
    return size === 8 ? this.u64AsNumber() : this.u32();
  }

  /** An unsigned value of 1, 2, 4 or 8 bytes. */
  unsigned(size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.u8());
      case 2:
        return BigInt(this.u16());
      case 4:
        return BigInt(this.u32());
      case 8:
        return this.u64();
      default:
        return this.fail(`a value of ${size} bytes is not supported`);
    }
  }

  signed(size: number): bigint {
    return BigInt.asIntN(8 * size, this.unsigned(size));
  }

  uleb(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    this.at--;
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) this.fail('number is out of range');
        return value;
      }
      scale *= 128;
    }
    return this.fail('LEB128 number is too long');
  }

  sleb(): number {
    const value = Number(this.slebBig());
    if (!Number.isSafeInteger(value)) this.fail('number is out of range');
    return value;
  }

  ulebBig(): bigint {
    return this.leb(false);
  }

  slebBig(): bigint {
    return this.leb(true);
  }

  private leb(signed: boolean): bigint {
    let value = 0n;
    for (let count = 0; count < 10; count++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) {
        if (!signed) return BigInt.asUintN(64, value);
        return BigInt.asIntN(64, BigInt.asIntN(7 * (count + 1), value));
      }
    }
    return this.fail('LEB128 number is too long');
  }

  block(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  string(): string {
    const zero = this.bytes.indexOf(0, this.at);
    if (zero < 0 || zero >= this.end) this.fail('string has no end');
    const text = decodeText(this.bytes, this.at, zero);
    this.at = zero + 1;
    return text;
  }
}

/** The zero-terminated string at `at`; empty when `at` is outside. */
export function stringAt(bytes: Uint8Array, at: number): string {
  if (!(at >= 0 && at < bytes.length)) return '';
  const zero = bytes.indexOf(0, at);
  return decodeText(bytes, at, zero < 0 ? bytes.length : zero);
}

/** Where a table of zero-terminated strings holds `text`: linkers let a string be the end of a longer one. */
export function offsetsOfString(table: Uint8Array, text: string): Set<number> {
  const offsets = new Set<number>();
  const wanted = Buffer.from(`${text}\0`, 'utf8');
  if (wanted.length === 1) return offsets;
  const strings = Buffer.from(table.buffer, table.byteOffset, table.length);
  for (let at = strings.indexOf(wanted); at >= 0; at = strings.indexOf(wanted, at + 1)) offsets.add(at);
  return offsets;
}

function decodeText(bytes: Uint8Array, from: number, to: number): string {
  const end = Math.min(to, from + maximumString);
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, end - from).toString('utf8');
}
