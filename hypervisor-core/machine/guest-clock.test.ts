import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLOCK_BYTES, GuestClock } from './guest-clock.ts';

const past = (clock: GuestClock, microseconds: number) => {
  while (clock.elapsed() < microseconds);
};

test('time stands still with the machine, but for what counts on', () => {
  const clock = new GuestClock(new SharedArrayBuffer(CLOCK_BYTES), 0);
  clock.set(1000, 500);
  past(clock, 3000);
  assert.equal(clock.now(), 1000);
  clock.start();
  past(clock, 5000);
  clock.stop();
  const [now, stood] = [clock.now(), clock.elapsed() - clock.now()];
  assert.ok(now > 1000 && stood > 500, `${now}, ${stood}`);
  past(clock, 7000);
  assert.equal(clock.now(), now);
  // As a snapshot does.
  const later = new GuestClock(new SharedArrayBuffer(CLOCK_BYTES), 0);
  later.set(now, stood);
  assert.ok(later.now() === now && later.elapsed() >= now + stood);
});
