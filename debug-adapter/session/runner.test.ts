import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Target, TargetStop } from '../target/target.ts';
import { Runner } from './runner.ts';

const pause: TargetStop = { thread: 1, reason: { kind: 'pause' } };
const breakpoint: TargetStop = { thread: 1, reason: { kind: 'breakpoint', hardware: false } };

/** A guest that stops when it is interrupted, or when the test says so. */
function fakeGuest() {
  let listener: (stop: TargetStop) => void = () => undefined;
  let running = false;
  const stop = (how: TargetStop) => {
    if (!running) return;
    running = false;
    listener(how);
  };
  const target: Partial<Target> = {
    onStop: (told) => {
      listener = told;
    },
    onEnd: () => undefined,
    onLost: () => undefined,
    resume: async () => {
      running = true;
    },
    interrupt: async () => void setImmediate(() => stop(pause)),
  };
  return { runner: new Runner(target as Target), stop };
}

describe('who may move the guest', { timeout: 20_000 }, () => {
  test('work is let in at whatever moment it is asked for', async () => {
    // Between the end of one piece of work and the next resume there are a few turns of the microtask queue.
    for (let turns = 0; turns < 12; turns++) {
      const { runner } = fakeGuest();
      const stopped = new Promise((resolve) => {
        void runner.start((go) => go(1, { kind: 'continue' }, 'continue'), resolve);
      });
      const done: string[] = [];
      await runner.whileStopped(async () => void done.push('first'));
      for (let turn = 0; turn < turns; turn++) await undefined;
      await runner.whileStopped(async () => void done.push('second'));
      assert.deepEqual(done, ['first', 'second']);
      await runner.pause();
      assert.deepEqual(await stopped, pause);
    }
  });

  test('work that comes while an operation ends is still done', async () => {
    for (let turns = 0; turns < 12; turns++) {
      const { runner, stop } = fakeGuest();
      const stopped = new Promise((resolve) => {
        void runner.start((go) => go(1, { kind: 'continue' }, 'continue'), resolve);
      });
      await runner.whileStopped(async () => undefined);
      stop(breakpoint);
      for (let turn = 0; turn < turns; turn++) await undefined;
      await runner.whileStopped(async () => undefined);
      if (runner.running) stop(breakpoint);
      if (runner.running) await runner.pause();
      await stopped;
    }
  });
});
