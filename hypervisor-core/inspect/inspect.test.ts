import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { createMessageConnection, type MessageConnection } from 'vscode-jsonrpc/node';
import { FakeMachine } from '../../test/core/fake-machine.ts';
import type { Hex } from '../protocol/hex.ts';
import { inspect, type MachineState } from '../protocol/inspect.ts';
import { Backlog } from './flow.ts';
import { InspectServer } from './server.ts';

let machine: FakeMachine;
let inspector: InspectServer;
let server: Server;
let folder: string;
let path: string;
let quits: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-inspect-'));
  path = join(folder, 'inspect');
  machine = new FakeMachine();
  quits = 0;
  inspector = new InspectServer(machine, () => {
    quits++;
    void inspector.close();
  });
  server = createServer((socket) => inspector.accept(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
});

afterEach(async () => {
  await inspector.close();
  server.close();
  rmSync(folder, { recursive: true });
});

async function dial(): Promise<Socket> {
  const socket = connect(path);
  socket.on('error', () => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

async function open(): Promise<MessageConnection> {
  const socket = await dial();
  const connection = createMessageConnection(socket, socket);
  connection.listen();
  return connection;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const plain = (data: string) => Buffer.from(data, 'base64').toString();

describe('requests', () => {
  test('what the machine is and holds', async () => {
    const client = await open();
    assert.deepEqual(await client.sendRequest(inspect.info), machine.info);
    assert.deepEqual(await client.sendRequest(inspect.state), { kind: 'stopped' });
    assert.deepEqual(await client.sendRequest(inspect.memoryMap), machine.memoryMap());
    assert.equal((await client.sendRequest(inspect.devices))[0]?.registers[0]?.name, 'IER');
    assert.equal((await client.sendRequest(inspect.interrupts, { vcpu: 1 })).pending.mpState, 'halted');
    assert.deepEqual((await client.sendRequest(inspect.interruptLog, { limit: 7 })).total, 7);
    assert.equal((await client.sendRequest(inspect.msrs, { vcpu: 0 }))[0]?.name, 'LSTAR');
    await client.sendRequest(inspect.writePhysical, { address: '0x100', data: base64('ringside') });
    const { data } = await client.sendRequest(inspect.readPhysical, { address: '0x100', length: 8 });
    assert.equal(plain(data), 'ringside');
    const end = await client.sendRequest(inspect.readPhysical, { address: '0xfffe', length: 16 });
    assert.equal(plain(end.data).length, 2, 'short where RAM ends');
    client.end();
  });

  test('page tables of a vCPU, and of another root', async () => {
    const client = await open();
    const registers = { cr0: 0x8000_0001n, cr3: 0x1000n, cr4: 0x20n, efer: 0x500n };
    for (const [name, value] of Object.entries(registers)) {
      const bytes = machine.vcpus[0]?.registers.read(name) ?? new Uint8Array();
      new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(0, value, true);
      machine.vcpus[0]?.registers.write(name, bytes);
    }
    const entries = [
      [0x1000, 0x2003n],
      [0x2000, 0x3003n],
      [0x3008, 0x40_0083n],
      [0x4ff8, 0x2007n],
    ] as const;
    for (const [at, entry] of entries) new DataView(machine.ram.buffer).setBigUint64(at, entry, true);
    const own = await client.sendRequest(inspect.scanPages, { vcpu: 0 });
    assert.deepEqual(own, { runs: [512, 1024, 512, 3, 2], tables: [1, 4, 2, 3, 3, 2], truncated: false });
    const other = await client.sendRequest(inspect.scanPages, { vcpu: 0, cr3: '0x4000' });
    assert.deepEqual(other.runs, [2 ** 52 - 2 ** 27 + 512, 1024, 512, 3, 2]);
    await assert.rejects(client.sendRequest(inspect.scanPages, { vcpu: 0, cr3: '4' as Hex }), /"cr3" must be/);
    client.end();
  });

  test('what cannot be is refused in words', async () => {
    const client = await open();
    const refused = (method: string, params: unknown, words: RegExp) =>
      assert.rejects(client.sendRequest(method, params), words, `${method} ${JSON.stringify(params)}`);
    await refused('vcpu/interrupts', { vcpu: 2 }, /"vcpu" must be a whole number from 0 to 1/);
    await refused('console/serialHistory', { port: 5 }, /"port" must be a whole number from 1 to 1/);
    await refused('vcpu/interrupts', undefined, /"vcpu" must be/);
    await refused('memory/readPhysical', { address: 5, length: 1 }, /"address" must be a hexadecimal number/);
    await refused('memory/readPhysical', { address: '0x0', length: 2 ** 40 }, /"length" must be .* to 1048576/);
    await refused('memory/writePhysical', { address: '0x0', data: '***' }, /"data" must be base64/);
    await refused(
      'memory/writePhysical',
      { address: '0x10000', data: base64('x') },
      /no RAM at physical address 0x10000/,
    );
    await refused('vcpu/writeMsr', { vcpu: 0, index: 1, value: '0x0' }, /no MSR 0x1/);
    await refused('vcpu/inject', { vcpu: 0, vector: 15 }, /"vector" must be a whole number from 16 to 255/);
    await refused('vcpu/inject', { vcpu: 0, vector: 0x66 }, /takes no interrupts/);
    await refused('trace/traceExits', { on: 1 }, /"on" must be true or false/);
    await refused('machine/explode', {}, /Unhandled method/);
    machine.resume([]);
    await refused('vcpu/msrs', { vcpu: 0 }, /the guest is running; pause it first/);
    client.end();
  });

  test('snapshots are taken, listed, gone back to and removed', async () => {
    const client = await open();
    const info = await client.sendRequest(inspect.takeSnapshot, { name: 'one' });
    assert.deepEqual(await client.sendRequest(inspect.snapshots), [info]);
    await client.sendRequest(inspect.restoreSnapshot, { name: 'one' });
    await client.sendRequest(inspect.restart);
    await client.sendRequest(inspect.removeSnapshot, { name: 'one' });
    await assert.rejects(client.sendRequest(inspect.restoreSnapshot, { name: 'one' }), /no snapshot "one"/);
    await assert.rejects(client.sendRequest(inspect.takeSnapshot, { name: 'x'.repeat(300) }), /"name" must be a text/);
    client.dispose();
  });

  test('quit ends the guest, and the reply arrives before the connection closes', async () => {
    const client = await open();
    const closed = new Promise<void>((resolve) => client.onClose(() => resolve()));
    const states: MachineState[] = [];
    client.onNotification(inspect.onState, (state) => {
      states.push(state);
    });
    await client.sendRequest(inspect.quit);
    await closed;
    assert.equal(quits, 1);
    assert.deepEqual(
      states.map(({ kind }) => kind),
      ['ended'],
    );
  });
});

describe('notifications', () => {
  test('state and console go to everyone', async () => {
    const [watcher, other] = [await open(), await open()];
    const texts = [watcher, other].map(
      (client) =>
        new Promise<string>((resolve) => client.onNotification(inspect.onConsole, ({ data }) => resolve(plain(data)))),
    );
    const states = [watcher, other].map(
      (client) => new Promise<string>((resolve) => client.onNotification(inspect.onState, ({ kind }) => resolve(kind))),
    );
    machine.resume([]);
    machine.print('hello');
    assert.deepEqual(await Promise.all(texts), ['hello', 'hello']);
    assert.deepEqual(await Promise.all(states), ['running', 'running']);
    watcher.end();
    other.end();
  });

  test('hypercalls are read from where the reader stands', async () => {
    const client = await open();
    const before = await client.sendRequest(inspect.hypercalls, { from: 0, limit: 0 });
    machine.call('one');
    machine.call('two');
    const from = before.total + 1;
    const { records, total } = await client.sendRequest(inspect.hypercalls, { from, limit: 1e9 });
    assert.deepEqual([records.map(({ name }) => name), total], [['two'], before.total + 2]);
    client.end();
  });

  test('calls inside the guest are traced for as long as a client wants it, and is there', async () => {
    const client = await open();
    const want = (...at: Hex[]) => client.sendRequest(inspect.recordCalls, { convention: 'xen-pv', at });
    const wanted = () => [...machine.recorded.values()].flat();
    await want('0x1000', '0xffff82d0402f2650', '0x1000');
    assert.deepEqual(wanted(), [0x1000n, 0xffff_82d0_402f_2650n]);
    await want();
    assert.deepEqual(wanted(), []);
    await assert.rejects(want('1' as Hex), /"at" must be a list of at most 8 hexadecimal numbers/);
    await assert.rejects(want(...Array<Hex>(9).fill('0x1')), /"at" must be/);
    const other = { convention: 'vax' as 'xen-pv', at: [] };
    await assert.rejects(client.sendRequest(inspect.recordCalls, other), /"convention" must be xen-pv/);
    await want('0x2000');
    client.end();
    while (wanted().length > 0) await new Promise(setImmediate);
  });

  test('calls by instructions are traced for as long as a client wants it, and is there', async () => {
    const client = await open();
    const want = (on: boolean) => client.sendRequest(inspect.recordInstructions, { on });
    assert.deepEqual([await want(true), machine.instructions.size], [{ found: 3 }, 1]);
    assert.deepEqual([await want(false), machine.instructions.size], [{ found: 0 }, 0]);
    machine.state = { kind: 'running' };
    await assert.rejects(want(true), /stop it first/);
    machine.state = { kind: 'stopped' };
    await want(true);
    client.end();
    while (machine.instructions.size > 0) await new Promise(setImmediate);
  });

  test('history and output join without a gap or a repeat', async () => {
    const client = await open();
    let text = '';
    client.onNotification(inspect.onConsole, ({ data }) => {
      text += plain(data);
    });
    let expected = '';
    const print = () => {
      const line = `line ${expected.length}\n`;
      expected += line;
      machine.print(line);
    };
    for (let n = 0; n < 50; n++) print();
    const asked = client.sendRequest(inspect.consoleHistory).then(({ data }) => {
      text = plain(data);
    });
    const printing = setInterval(print, 1);
    await asked;
    clearInterval(printing);
    print();
    while (text.length < expected.length) await new Promise(setImmediate);
    assert.equal(text, expected);
    await client.sendRequest(inspect.consoleInput, { data: base64('ls\r') });
    assert.equal(Buffer.from(machine.typed).toString(), 'ls\r');
    client.end();
  });

  test('a client that does not read costs no more than the backlog', () => {
    const backlog = new Backlog(100);
    for (let n = 0; n < 1000; n++) backlog.add(Uint8Array.of(n & 0xff, n >> 8));
    const left = backlog.take();
    assert.equal(left.length, 100);
    assert.deepEqual([left.at(-2), left.at(-1)], [999 & 0xff, 999 >> 8]);
    assert.equal(backlog.take().length, 0);
  });
});

describe('hostile clients', () => {
  test('a message without an end is cut off', async () => {
    const socket = await dial();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`Content-Length: 99999999999\r\n\r\n`);
    const block = Buffer.alloc(1 << 16, 0x20);
    const pump = () => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', pump);
    pump();
    await closed;
    const client = await open();
    assert.equal((await client.sendRequest(inspect.state)).kind, 'stopped');
    client.end();
  });

  test('whatever bytes come, the next client is served', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'Content-Length: ',
        '\r\n\r\n',
        '2\r\n\r\n{}',
        'Content-Type: x\r\n',
        '{"jsonrpc":"2.0","id":1,"method":"machine/info"}',
        '[]',
        'null',
        '-1',
        '1e9',
      ),
      fc.string({ maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        const socket = await dial();
        socket.resume();
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.end(pieces.join(''));
        await closed;
      }),
      { numRuns: 100 },
    );
    const messages = fc.record({
      jsonrpc: fc.constant('2.0'),
      id: fc.oneof(fc.integer(), fc.string(), fc.constant(null)),
      method: fc.constantFrom(
        'vcpu/interrupts',
        'memory/readPhysical',
        'memory/writePhysical',
        'console/input',
        'trace/hypercalls',
        '$/cancelRequest',
      ),
      params: fc.oneof(
        fc.json({ maxDepth: 2 }).map((text) => JSON.parse(text) as unknown),
        fc.constant({ vcpu: -1, address: '0x', length: {} }),
      ),
    });
    await fc.assert(
      fc.asyncProperty(messages, async (message) => {
        const socket = await dial();
        socket.resume();
        const closed = new Promise((resolve) => socket.once('close', resolve));
        const body = JSON.stringify(message);
        socket.end(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        await closed;
      }),
      { numRuns: 100 },
    );
    const client = await open();
    assert.equal((await client.sendRequest(inspect.state)).kind, 'stopped');
    client.end();
  });
});
