/**
 * Carries out the requests to a block device, on the main thread and one after the other. A request stays the oldest of
 * its queue until it is done, so a machine that is saved meanwhile has it still to do. While the guest stands still no
 * request is begun, and its memory stands still, too: what was done then is told when it goes on.
 */
import type { GuestMemory } from '../device.ts';
import { type Disk, SECTOR } from '../disk/disk.ts';
import { type BlockRequest, gather, parseRequest, REQUEST, STATUS, scatter } from './block-request.ts';
import { SEG_MAX, SIZE_MAX } from './virtio-blk.ts';
import type { VirtioPort } from './virtio-device.ts';

const QUEUE = 0;
const ID_BYTES = 20;
const MOST_BYTES = SIZE_MAX * SEG_MAX;

interface BlockServerParts {
  readonly port: VirtioPort;
  readonly disk: Disk;
  readonly memory: GuestMemory;
  /** The bus lock. */
  hold<Result>(body: () => Result): Result;
}

interface Answer {
  readonly status: number;
  /** What goes to the driver. */
  readonly data?: Uint8Array;
}

export class BlockServer {
  readonly #parts: BlockServerParts;
  #working: Promise<void> | undefined;
  /** What is being done to the disk. */
  #performing: Promise<unknown> | undefined;
  /** How often the machine has become another one. */
  #machines = 0;
  #closed = false;
  /** Resolves when the guest runs; undefined while it does. */
  #standing: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  constructor(parts: BlockServerParts) {
    this.#parts = parts;
  }

  /** There may be requests. */
  kick(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** Waits for the request at hand, then gives the disk back. */
  async close(): Promise<void> {
    this.#closed = true;
    this.setRunning(true);
    await this.#working;
    this.#parts.disk.close();
  }

  /** Whether the guest runs. */
  setRunning(running: boolean): void {
    if (running) {
      this.#standing?.end();
      this.#standing = undefined;
    } else if (!this.#standing) {
      let end = () => {};
      const over = new Promise<void>((resolve) => {
        end = resolve;
      });
      this.#standing = { over, end };
    }
  }

  /** Resolves when nothing is being done to the disk any more, while the guest stands still. */
  async settled(): Promise<void> {
    await this.#performing;
  }

  /** Memory, queue and disk are those of another moment: what was asked for until now is no matter, what they say is. */
  restored(): void {
    this.#machines++;
    this.kick();
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#untilRunning();
      const work = this.#next();
      if (!work) return;
      const machine = this.#machines;
      const performing = this.#perform(work.request).catch((): Answer => ({ status: STATUS.ioError }));
      this.#performing = performing;
      const answer = await performing;
      await this.#untilRunning();
      if (machine === this.#machines) this.#finish(work.request, work.resets, answer);
    }
  }

  async #untilRunning(): Promise<void> {
    while (this.#standing) await this.#standing.over;
  }

  #next(): { readonly request: BlockRequest; readonly resets: number } | undefined {
    if (this.#closed) return undefined;
    const { port, hold } = this.#parts;
    let request: BlockRequest | undefined;
    return hold(() => {
      port.serve(QUEUE, (queue) => {
        const chain = queue.next();
        request = chain && parseRequest(chain, queue.memory);
        return false;
      });
      return request && { request, resets: port.resets };
    });
  }

  async #perform({ type, sector, data, length }: BlockRequest): Promise<Answer> {
    const { disk, memory } = this.#parts;
    const fits = length <= MOST_BYTES && length % SECTOR === 0 && sector + length / SECTOR <= disk.sectors;
    switch (type) {
      case REQUEST.in: {
        if (!fits) return { status: STATUS.ioError };
        const bytes = new Uint8Array(length);
        await disk.read(sector, bytes);
        return { status: STATUS.ok, data: bytes };
      }
      case REQUEST.out:
        if (!fits) return { status: STATUS.ioError };
        await disk.write(sector, gather(memory, data, length));
        return { status: STATUS.ok };
      case REQUEST.flush:
        await disk.flush();
        return { status: STATUS.ok };
      case REQUEST.getId:
        return { status: STATUS.ok, data: new TextEncoder().encode('ringside'.padEnd(ID_BYTES, '\0')) };
      default:
        return { status: STATUS.unsupported };
    }
  }

  #finish(request: BlockRequest, resets: number, { status, data }: Answer): void {
    const { port, hold } = this.#parts;
    hold(() => {
      // The driver has forgotten what it asked for before a reset.
      if (port.resets !== resets) return;
      port.serve(QUEUE, (queue) => {
        if (data) scatter(queue.memory, request.data, data);
        queue.memory.write(request.status, Uint8Array.of(status));
        queue.finish(request.chain, Math.min(data?.length ?? 0, request.length) + 1);
        return true;
      });
    });
  }
}
