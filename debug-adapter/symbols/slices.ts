/** Long work in the thread that answers: in slices, between which others have their turn. */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds; what a user does not feel, and far more than giving way costs. */
const SLICE = 8;

/** Work that gives way wherever it yields. */
export type Sliced<Result> = Generator<void, Result>;

/** Does the work to its end; undefined when it was given up, as `isWanted` said after others had their turn. */
export async function inSlices<Result>(work: Sliced<Result>, isWanted: () => boolean): Promise<Result | undefined> {
  let end = performance.now() + SLICE;
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < end) continue;
    await setImmediate();
    if (!isWanted()) return undefined;
    end = performance.now() + SLICE;
  }
}
