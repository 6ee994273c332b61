/**
 * The picture in the framebuffer, for one client: those of its rows that are not as the client has them. It is read in
 * slices, and deflated by another thread: the core has guests and other clients to serve meanwhile.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, deflate } from 'node:zlib';
import type { PhysicalMemory } from '../machine/api.ts';
import { parseHex } from '../protocol/hex.ts';
import type { MemoryMap, Screen, ScreenUpdate } from '../protocol/inspect.ts';

/** Bytes read between two turns of the event loop. */
const SLICE = 1 << 18;
/** Bytes of rows in one answer, before they are deflated. */
const MOST = 1 << 22;
const compress = promisify(deflate);

export class ScreenReader {
  readonly #memory: Pick<PhysicalMemory, 'read'>;
  readonly #start: bigint;
  readonly #screen: Screen;
  /** The rows as the client has them. */
  readonly #theirs: Buffer;
  /** Rows of which the client has nothing. */
  readonly #unknown = new Set<number>();
  /** The row to go on from, where the last answer had no room for all. */
  #next = 0;
  /** Of the last answer; 0 before the first. */
  #version = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(memory: Pick<PhysicalMemory, 'read'>, start: bigint, screen: Screen) {
    this.#memory = memory;
    this.#start = start;
    this.#screen = screen;
    this.#theirs = Buffer.alloc(screen.stride * screen.height);
  }

  /** Undefined for a machine without a framebuffer. */
  static of(memory: PhysicalMemory, { regions }: MemoryMap): ScreenReader | undefined {
    const found = regions.find(({ screen }) => screen);
    return found?.screen && new ScreenReader(memory, parseHex(found.start), found.screen);
  }

  /** What a client lacks that has the answer with this version; one after the other. */
  changes(known: number): Promise<ScreenUpdate> {
    const answer = this.#last.then(() => this.#changes(known));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #changes(known: number): Promise<ScreenUpdate> {
    const { height, stride } = this.#screen;
    if (known !== this.#version || known === 0) {
      for (let row = 0; row < height; row++) this.#unknown.add(row);
      this.#next = 0;
    }
    const rows: { first: number; count: number }[] = [];
    const pieces: Uint8Array[] = [];
    let room = Math.max(1, Math.floor(MOST / stride));
    const atOnce = Math.max(1, Math.floor(SLICE / stride));
    for (; this.#next < height && room > 0; await nextTurn()) {
      const count = Math.min(atOnce, room, height - this.#next);
      for (const { first, bytes } of this.#changed(this.#next, count)) {
        const last = rows.at(-1);
        if (last && last.first + last.count === first) last.count++;
        else rows.push({ first, count: 1 });
        pieces.push(bytes);
        room--;
      }
      this.#next += count;
    }
    const more = this.#next < height;
    if (!more) this.#next = 0;
    if (rows.length > 0) this.#version++;
    const level = { level: constants.Z_BEST_SPEED };
    const data = rows.length > 0 ? (await compress(Buffer.concat(pieces), level)).toString('base64') : '';
    return { screen: this.#screen, version: this.#version, rows, data, more };
  }

  /** Those of so many rows that the client has not as they are now; from here on it has. */
  *#changed(row: number, count: number) {
    const { stride } = this.#screen;
    const now = this.#memory.read(this.#start + BigInt(row * stride), count * stride);
    for (let first = row; first < row + count; first++) {
      const bytes = now.subarray((first - row) * stride, (first - row + 1) * stride);
      const theirs = this.#theirs.subarray(first * stride, (first + 1) * stride);
      if (!this.#unknown.delete(first) && theirs.equals(bytes)) continue;
      theirs.set(bytes);
      yield { first, bytes };
    }
  }
}
