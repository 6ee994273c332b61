/** Encoded pointers of `.eh_frame`. LSB 5.0, 10.5.1. */
import type { Cursor } from './bytes.ts';

export interface PointerBases {
  readonly addressSize: number;
  /** Address of the cursor's section. */
  readonly sectionAddress: bigint;
}

const absent = 0xff;
const pcRelative = 0x10;
const aligned = 0x50;

export const isAbsent = (encoding: number): boolean => encoding === absent;

export function readPointer(cursor: Cursor, encoding: number, bases: PointerBases): bigint {
  if (encoding === absent) return 0n;
  if (encoding === aligned) {
    cursor.skip((bases.addressSize - (cursor.at % bases.addressSize)) % bases.addressSize);
    return cursor.unsigned(bases.addressSize);
  }
  const at = BigInt(cursor.origin + cursor.at);
  const relation = encoding & 0x70;
  if (relation !== 0 && relation !== pcRelative)
    cursor.fail(`pointer encoding 0x${encoding.toString(16)} is not supported`);
  const value = readValue(cursor, encoding & 0x0f, bases.addressSize);
  return relation === pcRelative ? BigInt.asUintN(8 * bases.addressSize, value + bases.sectionAddress + at) : value;
}

function readValue(cursor: Cursor, format: number, addressSize: number): bigint {
  switch (format) {
    case 0x00:
      return cursor.unsigned(addressSize);
    case 0x01:
      return cursor.ulebBig();
    case 0x02:
      return cursor.unsigned(2);
    case 0x03:
      return cursor.unsigned(4);
    case 0x04:
      return cursor.unsigned(8);
    case 0x08:
      return cursor.signed(addressSize);
    case 0x09:
      return cursor.slebBig();
    case 0x0a:
      return cursor.signed(2);
    case 0x0b:
      return cursor.signed(4);
    case 0x0c:
      return cursor.signed(8);
    default:
      return cursor.fail(`pointer format ${format} is not known`);
  }
}
