/** The frame of ACPI system description tables (ACPI 6.3, 5.2.6) and what they are made of. All little-endian. */

export const HEADER_BYTES = 36;
export const CHECKSUM = 9;

/** Makes the first `length` bytes sum up to zero, by the byte at `at`. */
export function seal(bytes: Uint8Array, at: number, length = bytes.length): void {
  bytes[at] = 0;
  const sum = bytes.subarray(0, length).reduce((total, byte) => (total + byte) & 0xff, 0);
  bytes[at] = (0x100 - sum) & 0xff;
}

/** A whole table: header, then `body`. */
export function acpiTable(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const table = Buffer.alloc(HEADER_BYTES + body.length);
  table.write(signature, 0, 4, 'latin1');
  table.writeUInt32LE(table.length, 4);
  table[8] = revision;
  table.write('RINGSD', 10, 6, 'latin1');
  table.write('RINGSIDE', 16, 8, 'latin1');
  table.writeUInt32LE(1, 24);
  table.write('RSID', 28, 4, 'latin1');
  table.writeUInt32LE(1, 32);
  table.set(body, HEADER_BYTES);
  seal(table, CHECKSUM);
  return table;
}

/** A field of `size` bytes at `offset` of a table. */
export type Field = readonly [offset: number, size: 1 | 2 | 4 | 8, value: number];

/** Bytes of a structure of which the named fields are not zero. */
export function fields(length: number, list: readonly Field[]): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const [offset, size, value] of list) {
    for (let byte = 0; byte < size; byte++) bytes[offset + byte] = Math.floor(value / 2 ** (8 * byte)) & 0xff;
  }
  return bytes;
}
