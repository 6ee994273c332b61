/**
 * The kernel's log, as `dmesg` prints it, out of the ring buffers themselves: it is there when nothing runs any more.
 * Documentation and layout: kernel/printk/printk_ringbuffer.c, since Linux 5.10.
 */

import type { Listed } from './containers/list.ts';
import type { Kernel } from './kernel.ts';
import type { KernelObject } from './kernel-object.ts';
import { LinuxError } from './linux-error.ts';

export interface LogRecord {
  readonly sequence: bigint;
  /** Nanoseconds since boot. */
  readonly time: bigint;
  /** 0 (emergency) to 7 (debug). */
  readonly level: number;
  readonly text: string;
}

/** log2 of the most records and the most bytes that are read: 2^20 records, 64 MiB. */
const MOST_COUNT_BITS = 20;
const MOST_SIZE_BITS = 26;
const LONGEST_RECORD = 65_536;
/** The state of a record, an `enum desc_state`, is in the two highest bits of its `state_var`, its id below. */
const idMask = (1n << 62n) - 1n;
const written = ['desc_committed', 'desc_finalized'];
/** Positions of records without text have bit 0 set; others are multiples of a word. */
const noText = 1n;
const word = 8;

/** Records still kept, oldest first. @param newest how many of them, counted from the end */
export async function readLog(kernel: Kernel, newest = 2 ** MOST_COUNT_BITS): Promise<Listed<LogRecord>> {
  const ring = kernel.object('printk_ringbuffer', await kernel.word(kernel.address('prb')));
  const countBits = await ring.number('desc_ring.count_bits');
  const sizeBits = await ring.number('text_data_ring.size_bits');
  if (countBits > MOST_COUNT_BITS || sizeBits > MOST_SIZE_BITS) {
    throw new LinuxError('The kernel log is not set up yet, or damaged.');
  }
  const ids = {
    tail: (await ring.integer('desc_ring.tail_id.counter')) & idMask,
    head: (await ring.integer('desc_ring.head_id.counter')) & idMask,
  };
  const buffers: Buffers = {
    descs: await ring.integer('desc_ring.descs'),
    infos: await ring.integer('desc_ring.infos'),
    data: await ring.integer('text_data_ring.data'),
    size: 1n << BigInt(sizeBits),
    written: new Set(written.map((name) => kernel.enumerator(name))),
  };
  const items: LogRecord[] = [];
  const count = 1n << BigInt(countBits);
  const kept = (ids.head - ids.tail) & idMask;
  const first = kept < BigInt(newest) ? 0n : kept - BigInt(newest) + 1n;
  try {
    for (let n = first; n < count; n++) {
      const id = (ids.tail + n) & idMask;
      const record = await readRecord(kernel, buffers, id, id % count);
      if (record) items.push(record);
      if (id === ids.head) break;
    }
    return { items };
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    return { items, problem: error.message };
  }
}

interface Buffers {
  readonly descs: bigint;
  readonly infos: bigint;
  readonly data: bigint;
  /** Bytes of `data`. */
  readonly size: bigint;
  /** States of records that are there to be read. */
  readonly written: ReadonlySet<bigint>;
}

/** Undefined for one that is not written to its end, or used anew. */
async function readRecord(kernel: Kernel, buffers: Buffers, id: bigint, index: bigint): Promise<LogRecord | undefined> {
  const desc = element(kernel, 'prb_desc', buffers.descs, index);
  const stateVar = BigInt.asUintN(64, await desc.integer('state_var.counter'));
  if ((stateVar & idMask) !== id || !buffers.written.has(stateVar >> 62n)) return undefined;
  const info = element(kernel, 'printk_info', buffers.infos, index);
  const begin = await desc.integer('text_blk_lpos.begin');
  const next = await desc.integer('text_blk_lpos.next');
  const length = await info.number('text_len');
  return {
    sequence: await info.integer('seq'),
    time: await info.integer('ts_nsec'),
    level: await info.number('level'),
    text: begin & noText ? '' : await textOf(kernel, buffers, { begin, next, length }),
  };
}

function element(kernel: Kernel, name: string, array: bigint, index: bigint): KernelObject {
  return kernel.object(name, array + index * BigInt(kernel.structure(name).size));
}

/** A block begins with the record's id. One that would run over the buffer's end lies at the buffer's start instead. */
async function textOf(
  kernel: Kernel,
  { data, size }: Buffers,
  { begin, next, length }: { begin: bigint; next: bigint; length: number },
): Promise<string> {
  const whole = begin / size === (next - 1n) / size;
  const start = whole ? begin % size : 0n;
  const room = Number(whole ? next - begin : next % size) - word;
  const bytes = Math.min(length, room, LONGEST_RECORD);
  if (bytes <= 0) return '';
  return Buffer.from(await kernel.read(data + start + BigInt(word), bytes)).toString('utf8');
}

/** `[    1.234567] text`, a line for each line of the record, as dmesg prints it. */
export function logLine({ time, text }: LogRecord): string {
  const microseconds = time / 1000n;
  const seconds = (microseconds / 1_000_000n).toString().padStart(5);
  const prefix = `[${seconds}.${(microseconds % 1_000_000n).toString().padStart(6, '0')}] `;
  return text
    .split('\n')
    .map((line) => prefix + line)
    .join('\n');
}
