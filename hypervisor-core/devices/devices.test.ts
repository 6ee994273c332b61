import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bench } from './bench.ts';
import { deviceModels } from './devices.ts';
import { i8042 } from './i8042.ts';
import { rtcCmos } from './rtc-cmos.ts';
import { COM_PORTS, serial16550 } from './serial16550.ts';

const [COM1] = COM_PORTS;

const model = (name: string) =>
  deviceModels({ memoryBelow4G: 256 << 20, memoryAbove4G: 0, cpus: 2 }).find((candidate) => candidate.name === name)!;

describe('16550A', () => {
  const RBR = 0x3f8;
  const [IER, IIR, LCR, MCR, LSR, MSR, SCR] = [RBR + 1, RBR + 2, RBR + 3, RBR + 4, RBR + 5, RBR + 6, RBR + 7];
  const powered = () => {
    const parts = bench(serial16550(COM1));
    const read = (port: number) => parts.device.in(port, 1);
    const write = (port: number, value: number) => parts.device.out(port, 1, value);
    return { ...parts, read, write };
  };

  test('sends, and is ready again at once', () => {
    const { sent, read, write } = powered();
    assert.equal(read(LSR), 0x60);
    for (const byte of Buffer.from('ok')) write(RBR, byte);
    assert.equal(Buffer.from(sent).toString(), 'ok');
    assert.equal(read(LSR), 0x60);
  });

  test('keeps the divisor and the scratch register apart from data', () => {
    const { sent, read, write } = powered();
    write(LCR, 0x83);
    write(RBR, 0x0c);
    write(IER, 0x01);
    assert.deepEqual([read(RBR), read(IER)], [0x0c, 0x01]);
    write(LCR, 0x03);
    assert.equal(read(IER), 0);
    write(SCR, 0x5a);
    assert.deepEqual([read(SCR), read(LCR), sent], [0x5a, 0x03, []]);
  });

  test('says that it is a 16550A once the FIFOs are on', () => {
    const { read, write } = powered();
    assert.equal(read(IIR), 0x01);
    write(IIR, 0x01);
    assert.equal(read(IIR), 0xc1);
  });

  test('receives through a FIFO of 16, and loses nothing behind it', () => {
    const { device, read, write } = powered();
    write(IIR, 0x01);
    for (let byte = 0; byte < 100; byte++) assert.equal(device.receive(byte), true);
    for (let byte = 0; byte < 100; byte++) {
      assert.equal(read(LSR) & 1, 1);
      assert.equal(read(RBR), byte);
    }
    assert.equal(read(LSR) & 1, 0);
    for (let byte = 0; byte < 65536; byte++) assert.equal(device.receive(1), true);
    assert.equal(device.receive(1), false);
  });

  test('keeps what was typed before the driver reset the FIFO', () => {
    const { device, read, write } = powered();
    device.receive(0x71);
    write(IER, 0x00);
    write(IIR, 0x07);
    write(IER, 0x01);
    assert.deepEqual([read(LSR), read(RBR)], [0x61, 0x71]);
  });

  test('raises and drops its line', () => {
    const { device, lines, read, write } = powered();
    write(MCR, 0x08);
    write(IER, 0x01);
    device.receive(0x41);
    assert.deepEqual(lines, [[4, true]]);
    assert.equal(read(IIR), 0x04);
    read(RBR);
    assert.deepEqual(lines, [
      [4, true],
      [4, false],
    ]);
    assert.equal(read(IIR), 0x01);
  });

  test('makes a new edge for each byte, for a guest that missed the last one', () => {
    const { device, lines, write } = powered();
    write(MCR, 0x08);
    write(IER, 0x01);
    device.receive(1);
    device.receive(2);
    assert.deepEqual(
      lines.map(([, level]) => level),
      [true, false, true],
    );
  });

  test('below the trigger level the time-out interrupt comes', () => {
    const { device, read, write } = powered();
    write(IIR, 0xc1);
    write(IER, 0x01);
    for (let byte = 0; byte < 13; byte++) device.receive(byte);
    assert.equal(read(IIR), 0xcc);
    device.receive(13);
    assert.equal(read(IIR), 0xc4);
  });

  test('THRE interrupt: when it is switched on, after each byte, gone once identified', () => {
    const { lines, read, write } = powered();
    write(MCR, 0x08);
    write(IER, 0x02);
    assert.equal(lines.length, 1);
    assert.equal(read(IIR), 0x02);
    assert.equal(read(IIR), 0x01);
    assert.equal(lines.length, 2);
    write(RBR, 0x41);
    assert.deepEqual(lines.at(-1), [4, true]);
  });

  test('without OUT2 the line stays low', () => {
    const { device, lines, write } = powered();
    write(IER, 0x03);
    device.receive(1);
    assert.deepEqual(lines, []);
    write(MCR, 0x08);
    assert.deepEqual(lines, [[4, true]]);
  });

  test('loopback: data and modem lines come back, overruns are told', () => {
    const { sent, read, write } = powered();
    read(MSR);
    write(MCR, 0x1a);
    assert.equal(read(MSR) & 0xf0, 0x90);
    write(RBR, 0xae);
    assert.deepEqual([read(LSR), read(RBR), sent], [0x61, 0xae, []]);
    write(IER, 0x04);
    write(RBR, 1);
    write(RBR, 2);
    assert.equal(read(IIR), 0x06);
    assert.equal(read(LSR), 0x63);
    assert.equal(read(LSR), 0x61);
    assert.equal(read(RBR), 2);
  });

  test('a change of a modem line is told once', () => {
    const { read, write } = powered();
    assert.equal(read(MSR), 0xb0);
    write(IER, 0x08);
    write(MCR, 0x10);
    assert.equal(read(IIR), 0x00);
    assert.equal(read(MSR), 0x0b);
    assert.equal(read(MSR), 0x00);
    assert.equal(read(IIR), 0x01);
  });

  test('state is in shared memory: another thread’s handler sees it', () => {
    const { device, second } = powered();
    device.out(SCR, 1, 0x77);
    assert.equal(second.in(SCR, 1), 0x77);
    second.receive(0x31);
    assert.equal(device.in(RBR, 1), 0x31);
  });

  test('wider accesses are bytes side by side', () => {
    const { device } = powered();
    device.out(MCR, 2, 0x0003);
    assert.equal(device.in(LCR, 2), 0x0300);
    assert.equal(device.in(SCR, 4), 0xffffff00);
  });
});

describe('MC146818', () => {
  const at = (time: string) => {
    let now = Date.parse(time);
    const { device } = bench(
      rtcCmos({ memoryBelow4G: 3 * 2 ** 30, memoryAbove4G: 5 * 2 ** 30, cpus: 3, clock: () => now }),
    );
    const read = (register: number) => {
      device.out(0x70, 1, register | 0x80);
      return device.in(0x71, 1);
    };
    const write = (register: number, value: number) => {
      device.out(0x70, 1, register);
      device.out(0x71, 1, value);
    };
    const time24 = () => [read(0x32), read(9), read(8), read(7), read(4), read(2), read(0)];
    return { read, write, time24, advance: (milliseconds: number) => (now += milliseconds) };
  };

  test('shows the time in BCD, and in binary when asked', () => {
    const clock = at('2026-11-22T17:05:59Z');
    assert.deepEqual(clock.time24(), [0x20, 0x26, 0x11, 0x22, 0x17, 0x05, 0x59]);
    assert.equal(clock.read(6), 1);
    clock.write(0x0b, 0x06);
    assert.deepEqual(clock.time24(), [20, 26, 11, 22, 17, 5, 59]);
    clock.advance(1000);
    assert.deepEqual(clock.time24().slice(5), [6, 0]);
  });

  test('knows twelve hours', () => {
    const hours = ['00', '01', '12', '13', '23'].map((hour) => {
      const clock = at(`2026-01-01T${hour}:00:00Z`);
      clock.write(0x0b, 0x00);
      return clock.read(4);
    });
    assert.deepEqual(hours, [0x12, 0x01, 0x92, 0x81, 0x91]);
  });

  test('lets the guest set its own time', () => {
    const clock = at('2026-11-22T17:05:59.500Z');
    clock.write(0x0b, 0x82);
    for (const [register, value] of [
      [0x32, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x31],
      [4, 0x23],
      [2, 0x59],
      [0, 0x58],
    ]) {
      clock.write(register!, value!);
    }
    clock.advance(5000);
    assert.equal(clock.read(0), 0x58);
    clock.write(0x0b, 0x02);
    clock.advance(2000);
    assert.deepEqual(clock.time24(), [0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00]);
  });

  test('tells that an update is near, and that one happened', () => {
    const clock = at('2026-11-22T17:05:59.900Z');
    assert.equal(clock.read(0x0a) & 0x80, 0);
    clock.advance(98);
    assert.equal(clock.read(0x0a) & 0x80, 0x80);
    clock.read(0x0c);
    assert.equal(clock.read(0x0c), 0);
    clock.advance(2);
    assert.equal(clock.read(0x0c), 0x10);
    assert.equal(clock.read(0x0d), 0x80);
  });

  test('interrupts periodically, at the alarm and at the end of an update, until register C is read', () => {
    let now = Date.parse('2026-11-22T17:05:57Z');
    let guest = 0;
    const model = rtcCmos({ memoryBelow4G: 2 ** 26, memoryAbove4G: 0, cpus: 1, clock: () => now });
    const { device, lines, wakes } = bench(model, { now: () => guest });
    const write = (register: number, value: number) => {
      device.out(0x70, 1, register);
      device.out(0x71, 1, value);
    };
    const flags = () => {
      device.out(0x70, 1, 0x0c);
      return device.in(0x71, 1);
    };
    const advance = (milliseconds: number) => {
      now += milliseconds;
      guest += milliseconds * 1000;
      return device.look();
    };
    assert.equal(advance(100), undefined);
    flags();
    write(0x0b, 0x42);
    assert.deepEqual([wakes.length, lines], [1, []]);
    assert.ok(Math.abs((advance(1) ?? 0) - 1000 / 1024) < 1000 / 1024);
    assert.deepEqual(lines, [[8, true]]);
    assert.deepEqual([flags(), flags()], [0xc0, 0]);
    assert.deepEqual(lines.splice(0), [
      [8, true],
      [8, false],
    ]);
    for (const [register, value] of [
      [1, 0x59],
      [3, 0xff],
      [5, 0xc0],
      [0x0a, 0x20],
      [0x0b, 0x22],
    ] as const) {
      write(register, value);
    }
    advance(1800);
    assert.deepEqual(lines, []);
    assert.equal(flags(), 0x10);
    advance(200);
    assert.deepEqual(lines, [[8, true]]);
    assert.equal(flags(), 0xb0);
    write(0x0b, 0x12);
    assert.equal(advance(400), 499);
    advance(499);
    assert.deepEqual([lines.at(-1), flags(), lines.at(-1)], [[8, true], 0x90, [8, false]]);
  });

  test('gives the size of memory where firmware leaves it', () => {
    const { read } = at('2026-01-01T00:00:00Z');
    const word = (register: number) => read(register) | (read(register + 1) << 8);
    assert.deepEqual([word(0x15), word(0x17), word(0x34)], [640, 0xffff, 3 * 16384 - 256]);
    assert.equal(word(0x5b) | (read(0x5d) << 16), 5 * 16384);
  });
});

describe('the ways out', () => {
  test('debug exit gives the status that QEMU gives', () => {
    const { device, ends } = bench(model('debug-exit'));
    device.out(0xf4, 1, 42);
    device.out(0xf4, 4, 0);
    assert.deepEqual(
      ends.map(({ cause, exitStatus }) => [cause, exitStatus]),
      [
        ['debug-exit', 85],
        ['debug-exit', 1],
      ],
    );
  });

  test('resets: 0x92, 0xcf9, keyboard controller', () => {
    const control = bench(model('reset-control'));
    control.device.out(0x92, 1, 0x02);
    control.device.out(0xcf9, 1, 0x02);
    assert.equal(control.ends.length, 0);
    control.device.out(0x92, 1, 0x03);
    control.device.out(0xcf9, 1, 0x06);
    assert.deepEqual(
      control.ends.map(({ cause }) => cause),
      ['reset', 'reset'],
    );
    const keyboard = bench(i8042);
    assert.equal(keyboard.device.in(0x64, 1) & 2, 0);
    keyboard.device.out(0x64, 1, 0xfe);
    assert.equal(keyboard.ends[0]?.cause, 'reset');
  });

  test('debug console prints', () => {
    const { device, sent } = bench(model('debug-console'));
    device.out(0xe9, 1, 0x21);
    assert.deepEqual([sent, device.in(0xe9, 1)], [[0x21], 0xe9]);
  });
});

describe('all devices', () => {
  const models = deviceModels({ memoryBelow4G: 1 << 28, memoryAbove4G: 0, cpus: 2 });

  test('share no port', () => {
    const ports = models.flatMap(({ ports }) =>
      ports.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, at) => first + at)),
    );
    assert.equal(new Set(ports).size, ports.length);
  });

  test('survive any access to any port', () => {
    for (const candidate of models) {
      const ports = candidate.ports.flatMap(({ first, last }) => [first, last]);
      const access = fc.record({
        port: fc.constantFrom(...ports),
        size: fc.constantFrom(1, 2, 4),
        value: fc.nat(0xffff_ffff),
        write: fc.boolean(),
      });
      fc.assert(
        fc.property(fc.array(access, { maxLength: 60 }), (accesses) => {
          const { device, state } = bench(candidate);
          for (const { port, size, value, write } of accesses) {
            if (write) device.out(port, size, value);
            else assert.ok(device.in(port, size) >>> 0 >= 0);
          }
          const before = Buffer.from(state.buffer).toString('latin1');
          for (const { name, value } of candidate.describe(state)) assert.match(value, /^0x/, name);
          assert.equal(Buffer.from(state.buffer).toString('latin1'), before, 'looking changes nothing');
        }),
        { numRuns: 100 },
      );
    }
  });
});
