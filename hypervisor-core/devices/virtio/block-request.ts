/** A request to a block device as it lies in a chain of buffers (virtio 1.2, 5.2.6). */
import type { GuestMemory } from '../device.ts';
import { type Buffer, type Chain, RingError } from './virtio-queue.ts';

export const REQUEST = { in: 0, out: 1, flush: 4, getId: 8 } as const;
export const STATUS = { ok: 0, ioError: 1, unsupported: 2 } as const;

const HEADER_BYTES = 16;

export interface BlockRequest {
  readonly chain: Chain;
  readonly type: number;
  readonly sector: number;
  /** Where the data comes from, for an OUT; for others, where it goes. */
  readonly data: readonly Buffer[];
  /** Bytes of all of `data`. */
  readonly length: number;
  /** Guest-physical address of the status byte. */
  readonly status: number;
}

/** Drivers may cut header, data and status into buffers as they like. */
export function parseRequest(chain: Chain, memory: GuestMemory): BlockRequest {
  const header = new DataView(gather(memory, slice(chain.readable, 0, HEADER_BYTES), HEADER_BYTES).buffer);
  const room = lengthOf(chain.writable);
  const [last] = slice(chain.writable, room - 1, room);
  if (lengthOf(chain.readable) < HEADER_BYTES) throw new RingError('a block request has no whole header');
  if (!last) throw new RingError('a block request has no room for its status');
  const type = header.getUint32(0, true);
  const data =
    type === REQUEST.out
      ? slice(chain.readable, HEADER_BYTES, Number.POSITIVE_INFINITY)
      : slice(chain.writable, 0, room - 1);
  const sector = Number(header.getBigUint64(8, true));
  return { chain, type, sector, data, length: lengthOf(data), status: last.gpa };
}

const lengthOf = (buffers: readonly Buffer[]) => buffers.reduce((sum, { length }) => sum + length, 0);

/** Bytes [from, to) of the buffers taken as one run. */
function slice(buffers: readonly Buffer[], from: number, to: number): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (const { gpa, length } of buffers) {
    const start = Math.max(from - at, 0);
    const end = Math.min(to - at, length);
    if (start < end) parts.push({ gpa: gpa + start, length: end - start });
    at += length;
  }
  return parts;
}

/** The bytes of the buffers; zeros where they are not in memory. `length` is the caller's bound. */
export function gather(memory: GuestMemory, buffers: readonly Buffer[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const buffer of buffers) {
    bytes.set(memory.read(buffer.gpa, buffer.length), at);
    at += buffer.length;
  }
  return bytes;
}

/** Puts bytes into the buffers; what is not in memory is lost. */
export function scatter(memory: GuestMemory, buffers: readonly Buffer[], bytes: Uint8Array): void {
  let at = 0;
  for (const { gpa, length } of buffers) {
    memory.write(gpa, bytes.subarray(at, at + length));
    at += length;
  }
}
