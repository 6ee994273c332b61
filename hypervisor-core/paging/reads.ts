/**
 * Page tables are read by a `pread` in the hypervisor and over a socket in the debug adapter. A walk is therefore a
 * generator: it yields the reads that it needs and gets the bytes, and one of the two functions below carries it out.
 */

/** `length` bytes of guest-physical memory at `address`. Fewer bytes in the answer mean that RAM ends there. */
export interface TableRead {
  readonly address: bigint;
  readonly length: number;
}

export type Reads<Result> = Generator<TableRead, Result, Uint8Array>;

export function withReads<Result>(
  steps: Reads<Result>,
  readPhysical: (address: bigint, length: number) => Uint8Array,
): Result {
  let step = steps.next();
  while (!step.done) step = steps.next(readPhysical(step.value.address, step.value.length));
  return step.value;
}

export async function withAsyncReads<Result>(
  steps: Reads<Result>,
  readPhysical: (address: bigint, length: number) => Promise<Uint8Array>,
): Promise<Result> {
  let step = steps.next();
  while (!step.done) step = steps.next(await readPhysical(step.value.address, step.value.length));
  return step.value;
}

/** Little-endian entry `index` of a table's bytes; undefined where the bytes end before it. */
export function entryAt(bytes: Uint8Array, index: number, entryBytes: 4 | 8): bigint | undefined {
  const at = index * entryBytes;
  if (at + entryBytes > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return entryBytes === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
}
