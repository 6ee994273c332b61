/**
 * The parts of the state that the adapter sends with each stop by itself. A request of an extension goes through VS Code's
 * window and back, twice, just when that is busy with the stop; what the adapter sends is seen here at once.
 */
import type { DebugSession } from 'vscode';
import type { PagesChoice, RingsideRequests, StatePart } from '../../debug-adapter/protocol/custom.ts';
import { request } from '../debug/ringside-session.ts';

export class FollowedParts {
  /** What the adapter was asked for last. */
  #asked: RingsideRequests['ringside/follow']['arguments'] | undefined;
  #promised: ReadonlySet<StatePart> = new Set();
  #coming = new Set<StatePart>();
  /** The stop that parts are coming of. */
  #stop = 0;

  constructor(readonly session: DebugSession) {}

  /** Has the adapter send these parts from the next stop on. */
  ask(parts: ReadonlySet<StatePart>, pages: PagesChoice): void {
    const args = { parts: [...parts].sort(), pages };
    if (JSON.stringify(args) === JSON.stringify(this.#asked)) return;
    this.#asked = args;
    this.#promised = new Set();
    request(this.session, 'ringside/follow', args).then(
      () => {
        if (this.#asked === args) this.#promised = new Set(args.parts);
      },
      // The session has just ended.
      () => undefined,
    );
  }

  /** The guest has come to stop number `stop`. */
  stopped(stop: number): void {
    this.#stop = stop;
    this.#coming = new Set(this.#promised);
  }

  /** True for a part that is on its way, of this stop. */
  isComing(part: StatePart, stop: number): boolean {
    return stop === this.#stop && this.#coming.has(part);
  }

  /** A part has come; false for one of an earlier stop than number `stop`. */
  take(part: StatePart, stop: number): boolean {
    return this.#coming.delete(part) && stop === this.#stop;
  }
}
