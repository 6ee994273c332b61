import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { FakeMachine } from '../../test/core/fake-machine.ts';
import { attachTerminal } from './terminal.ts';

function terminal(isTTY: boolean) {
  const machine = new FakeMachine();
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY,
    setRawMode(on: boolean) {
      modes.push(on);
      return this;
    },
  });
  const output = new PassThrough();
  let quits = 0;
  machine.print('booting\n');
  const attached = attachTerminal(machine, input as never, output, () => {
    quits++;
  });
  return {
    machine,
    modes,
    attached,
    output: () => String(output.read() ?? ''),
    quits: () => quits,
    async type(text: string) {
      input.write(text);
      await new Promise(setImmediate);
      return Buffer.from(machine.typed.splice(0)).toString('latin1');
    },
  };
}

test('keys go to the guest, Ctrl-A is the way out', async () => {
  const { type, quits, modes, attached, output, machine } = terminal(true);
  assert.deepEqual(modes, [true]);
  assert.equal(output(), 'booting\n');
  assert.equal(await type('ls\r\x03'), 'ls\r\x03', 'Control-C is the guest’s');
  assert.equal(await type('a\x01ab'), 'a\x01b');
  assert.equal(await type('\x01'), '');
  assert.equal(await type('\x01x'), '\x01x', 'escaped by itself, over two reads');
  assert.equal(await type('\x01h'), '');
  assert.match(output(), /Ctrl-A X {2}end the guest/);
  assert.equal(quits(), 0);
  assert.equal(await type('\x01Xy'), 'y');
  assert.equal(quits(), 1);
  attached.dispose();
  assert.deepEqual(modes, [true, false]);
  machine.print('unseen');
  assert.equal(output(), '');
});

test('bytes of a pipe are the guest’s, all of them', async () => {
  const { type, modes } = terminal(false);
  assert.equal(await type('\x01x'), '\x01x');
  assert.deepEqual(modes, []);
});
