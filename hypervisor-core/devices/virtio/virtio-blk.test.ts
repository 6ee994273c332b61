import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Disk } from '../disk/disk.ts';
import { BlockServer } from './block-server.ts';
import { CONFIGURATION, type DescriptorText, driverBench, NEXT, REGISTER, TARGET, WRITE } from './driver-bench.ts';
import { virtioBlk } from './virtio-blk.ts';

const SECTORS = 16;
const [IN, OUT, FLUSH, GET_ID] = [0, 1, 4, 8];
const [OK, IOERR, UNSUPP] = [0, 1, 2];
const HEADER = 0x7000;
const STATUS = 0x7fff;

/** A disk in memory whose sectors hold their number. */
class FakeDisk implements Disk {
  readonly sectors = SECTORS;
  readonly bytes = Buffer.from(Array.from({ length: SECTORS * 512 }, (_, at) => Math.floor(at / 512)));
  readonly done: string[] = [];
  closed = false;
  /** What every access waits for. */
  gate: Promise<void> = Promise.resolve();

  /** Has every access wait until the function that it gives is called. */
  shut(): () => void {
    let open = () => {};
    this.gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    this.done.push(`read ${sector}`);
    await this.gate;
    into.set(this.bytes.subarray(sector * 512, sector * 512 + into.length));
  }

  async write(sector: number, data: Uint8Array): Promise<void> {
    this.done.push(`write ${sector}`);
    await this.gate;
    this.bytes.set(data, sector * 512);
  }

  async flush(): Promise<void> {
    this.done.push('flush');
  }

  close(): void {
    this.closed = true;
  }
}

function powered() {
  const parts = driverBench(virtioBlk(SECTORS));
  const disk = new FakeDisk();
  const server = new BlockServer({ port: parts.port, disk, memory: parts.memory, hold: (body) => body() });
  let count = 0;
  /** Hands a request over, cut into these buffers behind the header. */
  const request = (type: number, sector: number, buffers: readonly DescriptorText[]) => {
    parts.ram.writeUInt32LE(type, HEADER);
    parts.ram.writeBigUInt64LE(BigInt(sector), HEADER + 8);
    parts.ram[STATUS] = 0xee;
    const all = [{ gpa: HEADER, length: 16 }, ...buffers, { gpa: STATUS, length: 1, flags: WRITE }];
    for (const [index, buffer] of all.entries()) {
      const last = index === all.length - 1;
      parts.describe(index, {
        ...buffer,
        flags: ((buffer as DescriptorText).flags ?? 0) | (last ? 0 : NEXT),
        next: index + 1,
      });
    }
    count++;
    parts.offer(0, count);
    parts.notify();
  };
  const settle = async () => {
    server.kick();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  /** Status and length of the last request. */
  const answer = () => [parts.ram[STATUS], parts.used().last((count - 1) % 8)[1]];
  return { ...parts, disk, server, request, settle, answer };
}

describe('virtio-blk', () => {
  test('tells its size and what a request may be', () => {
    const { read } = powered();
    assert.deepEqual([read(CONFIGURATION, 4), read(CONFIGURATION + 4, 4)], [SECTORS, 0]);
    assert.deepEqual([read(CONFIGURATION + 8, 4), read(CONFIGURATION + 12, 4)], [0x1_0000, 126]);
    assert.equal(read(CONFIGURATION + 20, 4), 512);
  });

  test('reads and writes, with the data cut as the driver likes', async () => {
    const { ram, disk, wakes, start, request, settle, answer, lines } = powered();
    start();
    request(IN, 3, [
      { gpa: TARGET, length: 100, flags: WRITE },
      { gpa: TARGET + 0x1000, length: 924, flags: WRITE },
    ]);
    assert.equal(wakes.length, 1);
    assert.equal(ram[STATUS], 0xee, 'nothing happens on the vCPU');
    await settle();
    assert.deepEqual(answer(), [OK, 1025]);
    assert.deepEqual([ram[TARGET], ram[TARGET + 0x1000 + 411], ram[TARGET + 0x1000 + 412]], [3, 3, 4]);
    assert.deepEqual(lines, [[11, true]]);
    ram.fill(0xab, TARGET, TARGET + 512);
    request(OUT, 15, [{ gpa: TARGET, length: 512 }]);
    await settle();
    assert.deepEqual([answer(), disk.bytes[15 * 512], disk.bytes[14 * 512 + 511]], [[OK, 1], 0xab, 14]);
    request(FLUSH, 0, []);
    await settle();
    assert.deepEqual([answer(), disk.done.at(-1)], [[OK, 1], 'flush']);
    request(GET_ID, 0, [{ gpa: TARGET, length: 20, flags: WRITE }]);
    await settle();
    assert.deepEqual([answer(), ram.toString('latin1', TARGET, TARGET + 8)], [[OK, 21], 'ringside']);
  });

  test('refuses what is beyond its end, too long, or unknown', async () => {
    const { disk, start, request, settle, answer } = powered();
    start();
    const into = (length: number) => [{ gpa: TARGET, length, flags: WRITE }];
    const cases: readonly [type: number, sector: number, buffers: DescriptorText[], status: number][] = [
      [IN, 15, into(1024), IOERR],
      [IN, 2 ** 52, into(512), IOERR],
      [IN, 0, into(511), IOERR],
      [IN, 0, into(0xffff_fe00), IOERR],
      [OUT, 16, [{ gpa: TARGET, length: 512 }], IOERR],
      [11, 0, [], UNSUPP],
    ];
    for (const [type, sector, buffers, status] of cases) {
      request(type, sector, buffers);
      await settle();
      assert.equal(answer()[0], status, `type ${type} at ${sector}`);
    }
    assert.deepEqual(disk.done, []);
  });

  test('a request without header or without room for its status breaks the ring', async () => {
    for (const [gpa, length, flags] of [
      [HEADER, 15, 0],
      [HEADER, 16, 0],
    ] as const) {
      const { read, start, describe: buffer, offer, settle } = powered();
      start();
      buffer(0, { gpa, length, flags });
      offer(0, 1);
      await settle();
      assert.equal(read(REGISTER.status, 1), 0x4f);
    }
  });

  test('memory stands still while the guest does; a request is the driver’s until it is done', async () => {
    const { ram, server, start, request, settle, used, answer } = powered();
    start();
    server.setRunning(false);
    request(IN, 1, [{ gpa: TARGET, length: 512, flags: WRITE }]);
    await settle();
    assert.deepEqual([used().index, ram[TARGET], ram[STATUS]], [0, 0, 0xee]);
    server.setRunning(true);
    await settle();
    assert.deepEqual([answer(), ram[TARGET]], [[OK, 513], 1]);
  });

  test('what was asked for before a reset is not done to memory after it', async () => {
    const { ram, disk, write, start, request, settle } = powered();
    start();
    const open = disk.shut();
    request(IN, 1, [{ gpa: TARGET, length: 512, flags: WRITE }]);
    await settle();
    assert.deepEqual(disk.done, ['read 1']);
    write(REGISTER.status, 1, 0);
    start();
    ram.fill(0, 0x2000, 0x2010);
    open();
    await settle();
    assert.deepEqual([ram[TARGET], ram[STATUS]], [0, 0xee]);
  });

  test('a machine that is saved while the disk is busy has the request still to do', async () => {
    const { ram, disk, server, start, request, settle, answer } = powered();
    start();
    const open = disk.shut();
    request(IN, 1, [{ gpa: TARGET, length: 512, flags: WRITE }]);
    await settle();
    server.setRunning(false);
    const settled = server.settled();
    const saved = Buffer.from(ram);
    open();
    await settled;
    // The disk of the machine that is gone back to holds something else.
    disk.bytes.fill(0x55, 512, 1024);
    ram.set(saved);
    server.restored();
    await settle();
    assert.deepEqual([ram[TARGET], ram[STATUS], disk.done], [0, 0xee, ['read 1']]);
    server.setRunning(true);
    await settle();
    assert.deepEqual([answer(), ram[TARGET], disk.done], [[OK, 513], 0x55, ['read 1', 'read 1']]);
  });

  test('a failing disk is an error of the request, and closing waits for it', async () => {
    const { disk, server, start, request, settle, answer } = powered();
    start();
    disk.gate = Promise.reject(new Error('EIO'));
    disk.gate.catch(() => {});
    request(IN, 1, [{ gpa: TARGET, length: 512, flags: WRITE }]);
    await settle();
    assert.deepEqual(answer(), [IOERR, 1]);
    await server.close();
    assert.equal(disk.closed, true);
  });

  test('no request, whatever its bytes, ends or hangs the server', async () => {
    const bytes = fc.uint8Array({ minLength: 0x80, maxLength: 0x80 });
    await fc.assert(
      fc.asyncProperty(bytes, bytes, fc.integer({ min: 1, max: 8 }), async (descriptors, headers, chains) => {
        const { ram, start, settle, offer } = powered();
        start();
        ram.set(descriptors, 0x1000);
        // Addresses in RAM and known flags, so that requests get far.
        for (let at = 0x1000; at < 0x1080; at += 16) {
          ram.writeUInt32LE(ram.readUInt16LE(at), at);
          ram.writeUInt32LE(0, at + 4);
          ram.writeUInt16LE(ram.readUInt16LE(at + 12) & 7, at + 12);
          ram.writeUInt16LE(ram.readUInt16LE(at + 14) & 7, at + 14);
        }
        ram.set(headers, HEADER);
        for (let chain = 1; chain <= chains; chain++) offer(chain & 7, chain);
        await settle();
      }),
      { numRuns: 100 },
    );
  });
});
