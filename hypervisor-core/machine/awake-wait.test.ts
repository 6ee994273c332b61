import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { AwakeWait } from './awake-wait.ts';

/** Where there is one processor nobody waits at all. */
const waits = availableParallelism() > 1;
const LONGEST = 1;

/** Has each look at the clock find it an eighth of a millisecond later; gives how often it was looked at. */
function clockOf(t: TestContext): () => number {
  let now = 0;
  const clock = t.mock.method(performance, 'now', () => {
    now += 1 / 8;
    return now;
  });
  return () => clock.mock.callCount();
}

const word = (value: number) => new Int32Array(new SharedArrayBuffer(4)).fill(value);

test('what has changed already is not waited for', (t) => {
  const looks = clockOf(t);
  const wait = new AwakeWait(LONGEST);
  for (let n = 0; n < 10; n++) wait.until(word(2), 0, 1);
  assert.equal(looks(), waits ? 10 : 0);
});

test('the longest wait is kept to, and after one in vain four are left out', (t) => {
  const looks = clockOf(t);
  const wait = new AwakeWait(LONGEST);
  const lookedAt = Array.from({ length: 11 }, () => {
    const before = looks();
    wait.until(word(1), 0, 1);
    return looks() - before;
  });
  const inVain = waits ? 1 + 8 : 0;
  assert.deepEqual(lookedAt, [inVain, 0, 0, 0, 0, inVain, 0, 0, 0, 0, inVain]);
});

test('one that is answered leaves none out', (t) => {
  const looks = clockOf(t);
  const wait = new AwakeWait(LONGEST);
  wait.until(word(1), 0, 1);
  for (let n = 0; n < 4; n++) wait.until(word(2), 0, 1);
  const before = looks();
  for (let n = 0; n < 3; n++) wait.until(word(2), 0, 1);
  assert.equal(looks() - before, waits ? 3 : 0);
});

const whereWaiting: typeof test | undefined = waits ? test : undefined;
whereWaiting?.('it is over when another thread answers, which is not asked to wake anybody', async () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const answering = `
    const { parentPort, workerData: words } = require('node:worker_threads');
    parentPort.postMessage('ready');
    Atomics.wait(words, 0, 0);
    Atomics.store(words, 0, 2);`;
  const worker = new Worker(answering, { eval: true, workerData: words });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('message', resolve));
  Atomics.store(words, 0, 1);
  Atomics.notify(words, 0);
  new AwakeWait(60_000).until(words, 0, 1);
  assert.equal(Atomics.load(words, 0), 2);
  await ended;
});
