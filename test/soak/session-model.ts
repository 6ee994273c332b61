/** What must hold of a debug session whatever its user does: the adapter's messages are followed, and looked at. */
import assert from 'node:assert/strict';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { patience } from '../patience.ts';

/** Milliseconds within which a guest that was asked to stops. */
const LONGEST = 20_000;

type Stop = DebugProtocol.StoppedEvent['body'];

export class SessionModel {
  readonly #client: DapClient;
  readonly #cpus: number;
  /** Stops that nothing has been let go since. */
  #stops = 0;
  /** Code at the places of breakpoints, which must never show. */
  readonly #code = new Map<string, string>();
  /** Functions that the guest stops in. */
  functions: readonly string[] = [];
  watching = false;

  constructor(client: DapClient, cpus: number) {
    this.#client = client;
    this.#cpus = cpus;
    const before = client.onMessage;
    client.onMessage = (message) => {
      before(message);
      const { event } = message as DebugProtocol.Event;
      if (message.type === 'event' && event === 'stopped') this.#stops++;
      assert.notEqual(event, 'terminated', 'the guest ended');
    };
  }

  /** Lets the guest go, and gives the stop that comes by itself within some milliseconds, or after a pause. */
  async letGo(move: () => Promise<unknown>, milliseconds: number, meanwhile: () => Promise<void>): Promise<Stop> {
    this.#stops = 0;
    // It may be refused, and then there is no stop to wait for.
    await move();
    const stopped = this.#client.stopped();
    const soon = await within(stopped, milliseconds);
    if (soon) return this.#checked(soon);
    await meanwhile();
    // It may have stopped by itself just now.
    await this.#client.request('pause', { threadId: 1 }).catch((error: Error) => {
      assert.match(error.message, /stopped already/);
    });
    const late = await within(stopped, patience(LONGEST));
    assert.ok(late, `no stop within ${patience(LONGEST) / 1000} s of a pause`);
    return this.#checked(late);
  }

  async #checked(stop: Stop): Promise<Stop> {
    const { threads } = await this.#client.request('threads');
    assert.equal(threads.length, this.#cpus);
    assert.equal(stop.allThreadsStopped, true);
    assert.ok(stop.threadId !== undefined && stop.threadId >= 1 && stop.threadId <= this.#cpus);
    for (const { id } of threads) await this.#checkStack(id, stop);
    for (const [place, code] of this.#code) assert.equal(await this.#bytes(place), code, `code at ${place}`);
    assert.equal(this.#stops, 1, 'one stop for each time that the guest was let go');
    return stop;
  }

  async #checkStack(threadId: number, stop: Stop): Promise<void> {
    const { stackFrames } = await this.#client.request('stackTrace', { threadId, levels: 20 });
    const [top] = stackFrames;
    assert.ok(top, `vCPU ${threadId} has a frame`);
    assert.match(top.instructionPointerReference ?? '', /^0x[0-9a-f]+$/);
    const rip = await this.#client.request('evaluate', { expression: '$rip,x', frameId: top.id, context: 'watch' });
    assert.ok(rip);
    assert.equal(BigInt(rip.result.split(' ')[0] ?? ''), BigInt(top.instructionPointerReference ?? ''));
    if (threadId !== stop.threadId) return;
    if (stop.reason === 'function breakpoint') assert.ok(this.functions.includes(top.name), `stopped in ${top.name}`);
    if (stop.reason === 'data breakpoint') assert.ok(this.watching, 'a data breakpoint that was taken back');
    assert.notEqual(stop.reason, 'exception', stop.text);
  }

  async #bytes(place: string): Promise<string> {
    return (await this.#client.request('readMemory', { memoryReference: place, count: 4 }))?.data ?? '';
  }

  /** Remembers the code at an address while no breakpoint is there. */
  async remember(place: string): Promise<void> {
    this.#code.set(place, await this.#bytes(place));
  }
}

/** What is promised, or undefined when it takes longer. */
async function within<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
