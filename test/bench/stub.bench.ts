/**
 * The stub as its clients feel it: memory read and single steps over the wire, with the same bare client and the same boot
 * sector on Ringside and on QEMU. QEMU's stub has no binary reads, so it is asked in hex, in packets as long as it takes.
 * What a step over the wire cannot beat is an answer from a process that does nothing but wake a thread, which wakes it, and
 * then KVM's own step: so do client, stub and vCPU in turn. A range step takes its steps on the vCPU's own thread.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encodePacket } from '../../hypervisor-core/protocol/rsp.ts';
import { countingSector, withServer } from './guests.ts';
import { kvmAlone } from './kvm-alone.ts';
import { printTable, summary, usable } from './table.ts';

const TURNS = 5;
const STEPS = 4000;
const READ_BYTES = 32 << 20;
const HASH = 0x23;

/** Bytes that look like a kernel's: the area is filled with them before it is read. */
const AREA = { start: 0x2_0000, length: 0x1_0000 };

/** As little of a client as there can be, so that the stub is what is measured. */
class BareClient {
  readonly #socket: Socket;
  readonly #parts: Buffer[] = [];
  #settle: ((reply: Buffer) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#parts.push(chunk);
      // A reply ends by `#` and two digits, and has no other `#`. Acknowledgements come alone or in front.
      if (chunk.length < 3 ? Buffer.concat(this.#parts).at(-3) !== HASH : chunk.at(-3) !== HASH) return;
      const reply = Buffer.concat(this.#parts.splice(0));
      this.#settle?.(reply.subarray(reply.indexOf('$') + 1, -3));
    });
  }

  ask(payload: string | Uint8Array): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#socket.write(encodePacket(payload));
    });
  }

  interrupt(): void {
    this.#socket.write('\x03');
  }
}

interface Rates {
  /** Megabytes (10^6) of guest memory a second. */
  readonly hex: number;
  readonly binary: number | undefined;
  /** Instructions a second, each a packet, and all by one packet where there are range steps. */
  readonly steps: number;
  readonly rangeSteps: number | undefined;
}

async function megabytesPerSecond(client: BareClient, packet: 'm' | 'x', length: number): Promise<number> {
  const start = performance.now();
  for (let read = 0; read < READ_BYTES; read += length) {
    const at = AREA.start + (read % (AREA.length - length + 1));
    const reply = await client.ask(`${packet}${at.toString(16)},${length.toString(16)}`);
    if (reply.length < length) throw new Error(`${packet} gave ${reply.length} bytes: ${reply.subarray(0, 40)}`);
  }
  return READ_BYTES / 1000 / (performance.now() - start);
}

async function rates(socket: string, hexLength: number, binaryLength?: number): Promise<Rates> {
  const connection = connect(socket);
  await once(connection, 'connect');
  try {
    const client = new BareClient(connection);
    await client.ask('qSupported:swbreak+;hwbreak+');
    await client.ask('QStartNoAckMode');
    connection.write('+');
    await fill(client);
    const hex = await megabytesPerSecond(client, 'm', hexLength);
    const binary = binaryLength && (await megabytesPerSecond(client, 'x', binaryLength));
    const start = performance.now();
    for (let step = 0; step < STEPS; step++) await client.ask('s');
    const steps = (STEPS * 1000) / (performance.now() - start);
    const hasRange = (await client.ask('vCont?')).includes(';r');
    return { hex, binary, steps, rangeSteps: hasRange ? await rangeStepsPerSecond(client) : undefined };
  } finally {
    connection.destroy();
  }
}

/** Steps through all of memory for a while; the loop counts in EAX, and has three instructions. */
async function rangeStepsPerSecond(client: BareClient): Promise<number> {
  const eax = async () => Buffer.from((await client.ask('p0')).toString(), 'hex').readUInt32LE();
  const [before, start] = [await eax(), performance.now()];
  const stopped = client.ask('vCont;r0,ffffffff:1');
  await delay(500);
  client.interrupt();
  await stopped;
  const milliseconds = performance.now() - start;
  return (3 * 1000 * ((await eax()) - before)) / milliseconds;
}

/** What answers without doing anything, on the socket in `argv[1]`: by itself, or after its thread has woken it, as a vCPU does. */
const idle = {
  echo: `require('node:net').createServer((socket) => socket.pipe(socket)).listen(process.argv[1])`,
  relay: `
    const words = new Int32Array(new SharedArrayBuffer(4));
    const thread = new (require('node:worker_threads').Worker)(\`
      const { parentPort, workerData: words } = require('node:worker_threads');
      for (let seen = 0; ; seen++) {
        Atomics.wait(words, 0, seen);
        parentPort.postMessage(0);
      }\`, { eval: true, workerData: words });
    require('node:net').createServer((socket) => {
      let asked;
      socket.on('data', (data) => {
        asked = data;
        Atomics.add(words, 0, 1);
        Atomics.notify(words, 0);
      });
      thread.on('message', () => socket.write(asked));
    }).listen(process.argv[1])`,
};

/** Round trips a second to a process that sends back what it gets, over the same kind of socket. */
function answersPerSecond(program: string, path: string): Promise<number> {
  return withServer(process.execPath, ['-e', program, path], path, async () => {
    const connection = connect(path);
    await once(connection, 'connect');
    const client = new BareClient(connection);
    const start = performance.now();
    for (let step = 0; step < STEPS; step++) await client.ask('s');
    connection.destroy();
    return (STEPS * 1000) / (performance.now() - start);
  });
}

/** Half code-like bytes, half zeros. */
async function fill(client: BareClient): Promise<void> {
  const CHUNK = 1024;
  for (let at = AREA.start; at < AREA.start + AREA.length; at += CHUNK) {
    const data = (at / CHUNK) % 2 ? randomBytes(CHUNK).toString('hex') : '00'.repeat(CHUNK);
    const reply = await client.ask(`M${at.toString(16)},${CHUNK.toString(16)}:${data}`);
    if (reply.toString() !== 'OK') throw new Error(`M gave ${reply}`);
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  try {
    const image = countingSector(folder);
    const ours: Rates[] = [];
    const echoes: number[] = [];
    const relays: number[] = [];
    const alone: number[] = [];
    const accelerators = usable('/dev/kvm') ? ['kvm', 'tcg'] : ['tcg'];
    const theirs = new Map<string, Rates[]>(accelerators.map((name) => [name, []]));
    for (let turn = 0; turn < TURNS; turn++) {
      echoes.push(await answersPerSecond(idle.echo, join(folder, `echo${turn}`)));
      relays.push(await answersPerSecond(idle.relay, join(folder, `relay${turn}`)));
      if (usable('/dev/kvm')) alone.push(kvmAlone().steps);
      const socket = join(folder, `ringside${turn}`);
      const run = [join(__dirname, '../core.js'), 'run', image, '--gdb', `unix:${socket}`, '--wait'];
      ours.push(await withServer(process.execPath, run, socket, () => rates(socket, 0xff00, 0xff00)));
      for (const [name, list] of theirs) {
        const path = join(folder, `${name}${turn}`);
        const machine = ['-accel', name, '-display', 'none', '-m', '64', '-drive', `format=raw,file=${image}`, '-S'];
        const server = ['-chardev', `socket,id=gdb,path=${path},server=on,wait=off`, '-gdb', 'chardev:gdb'];
        const start = () => rates(path, 0x7f0);
        list.push(await withServer('qemu-system-x86_64', [...machine, ...server], path, start));
      }
    }
    const row = (label: string, values: readonly number[], against?: readonly number[]) => {
      const times = against && `${(summary(against).median / summary(values).median).toFixed(1)} times less than ours`;
      return [label, summary(values).text, times ?? ''];
    };
    const of = (list: readonly Rates[], what: 'hex' | 'steps') => list.map((rate) => rate[what]);
    const binary = ours.map((rate) => rate.binary ?? Number.NaN);
    printTable(`Guest memory read over RSP, MB a second: median (least to most) of ${TURNS}`, [
      row('Ringside, x packets', binary),
      row('Ringside, m packets', of(ours, 'hex')),
      ...[...theirs].map(([name, list]) => row(`QEMU with ${name}, m packets`, of(list, 'hex'), binary)),
    ]);
    printTable(`Single steps over RSP a second: median (least to most) of ${TURNS} times ${STEPS}`, [
      row('An echo instead of a stub', echoes),
      row('An echo by way of a thread', relays),
      row('KVM without a stub', alone),
      row(
        'Both, one after the other',
        alone.map((steps, turn) => 1 / (1 / steps + 1 / (relays[turn] ?? Number.NaN))),
      ),
      row(
        'Ringside, one range step',
        ours.map(({ rangeSteps }) => rangeSteps ?? Number.NaN),
      ),
      row('Ringside', of(ours, 'steps')),
      ...[...theirs].map(([name, list]) => row(`QEMU with ${name}`, of(list, 'steps'), of(ours, 'steps'))),
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
