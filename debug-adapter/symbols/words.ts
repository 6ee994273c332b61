/** Words of guest memory. */
import type { ReadMemory } from './api.ts';

/** A little-endian word of 4 or 8 bytes; undefined where memory cannot be read. */
export async function loadWord(read: ReadMemory, address: bigint, size: 4 | 8): Promise<bigint | undefined> {
  const bytes = await read(BigInt.asUintN(8 * size, address), size);
  if (bytes.length < size) return undefined;
  return bytes.subarray(0, size).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
