import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { driverBench, NEXT, REGISTER, TARGET, WRITE } from './driver-bench.ts';
import { type ConsoleService, virtioConsole } from './virtio-console.ts';

const RECEIVE = 0;
const TRANSMIT = 1;

describe('virtio-console', () => {
  const powered = () => {
    const parts = driverBench(virtioConsole);
    const service = parts.port.service as ConsoleService;
    const type = (text: string) =>
      parts.port.serve(RECEIVE, (queue) => {
        service.receive(Buffer.from(text));
        return service.notified(queue, RECEIVE);
      });
    return { ...parts, service, type };
  };

  test('sends what the driver hands over, in order', () => {
    const { ram, sent, service, start, describe: buffer, offer, notify, used } = powered();
    start();
    ram.write('hello, world', TARGET);
    buffer(0, { gpa: TARGET, length: 7, flags: NEXT, next: 1 }, TRANSMIT);
    buffer(1, { gpa: TARGET + 7, length: 5 }, TRANSMIT);
    offer(0, 1, { queue: TRANSMIT });
    assert.equal(service.spoken, false);
    notify(TRANSMIT);
    assert.equal(Buffer.from(sent).toString(), 'hello, world');
    assert.deepEqual([used(TRANSMIT).index, used(TRANSMIT).last(0)], [1, [0, 0]]);
    assert.equal(service.spoken, true);
  });

  test('keeps what is typed until there are buffers, and fills no more than is there', () => {
    const { ram, type, start, describe: buffer, offer, notify, used } = powered();
    assert.equal(type('x'), false, 'there is no driver yet');
    start();
    assert.equal(type('abcdef'), true);
    assert.equal(used(RECEIVE).index, 0);
    buffer(0, { gpa: TARGET, length: 4, flags: WRITE });
    buffer(1, { gpa: TARGET + 0x100, length: 4, flags: WRITE });
    offer(0, 1);
    offer(1, 2);
    notify(RECEIVE);
    assert.deepEqual([used().index, used().last(0), used().last(1)], [2, [0, 4], [1, 2]]);
    assert.equal(ram.toString('latin1', TARGET, TARGET + 4), 'abcd');
    assert.equal(ram.toString('latin1', TARGET + 0x100, TARGET + 0x102), 'ef');
  });

  test('a buffer of 4 GiB sends what is in memory, and no more than a megabyte', () => {
    const { sent, read, start, describe: buffer, offer, notify } = powered();
    start();
    buffer(0, { gpa: TARGET, length: 0xffff_ffff, flags: NEXT, next: 1 }, TRANSMIT);
    buffer(1, { gpa: 0xffff_ffff, length: 0xffff_ffff }, TRANSMIT);
    for (let count = 1; count <= 8; count++) offer(0, count, { queue: TRANSMIT });
    notify(TRANSMIT);
    assert.equal(sent.length, 8 * 0x8000);
    assert.equal(read(REGISTER.status, 1), 0x0f);
  });
});
