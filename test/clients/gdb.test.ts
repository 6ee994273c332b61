/** Debian's gdb drives the stub. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import { registers } from '../../hypervisor-core/protocol/target-description.ts';
import { marker, sampleKernel } from '../guests/markers.ts';
import { Gdb } from './gdb-mi.ts';
import { RspClient } from './rsp-client.ts';
import { type RunningCore, withCore } from './running-core.ts';
import { addressOf, codeOf, instructionsOf } from './sample-symbols.ts';

/** A gdb that is connected to a fresh core. */
const session = (body: (gdb: Gdb, core: RunningCore) => Promise<void>) => () =>
  withCore(async (core) => {
    const gdb = new Gdb(sampleKernel);
    try {
      await gdb.send(`-target-select remote ${core.gdb}`);
      await body(gdb, core);
    } finally {
      await gdb.quit();
    }
  });

const frameOf = (stop: string) => ({
  address: BigInt(/addr="(0x[0-9a-f]+)"/.exec(stop)?.[1] ?? 0),
  function: /func="(\w+)"/.exec(stop)?.[1],
  line: Number(/line="(\d+)"/.exec(stop)?.[1]),
});

describe('gdb', () => {
  test(
    'attaches at the first instruction, breaks, steps and continues',
    session(async (gdb) => {
      assert.equal(await gdb.value('$rip'), addressOf('start64'));
      await gdb.send('-break-insert paging_init');
      const stop = await gdb.until('-exec-continue');
      assert.match(stop, /reason="breakpoint-hit"/);
      assert.equal(frameOf(stop).function, 'paging_init');
      const stack = await gdb.send('-stack-list-frames');
      assert.deepEqual(
        [...stack.matchAll(/func="(\w+)"/g)].slice(0, 2).map(([, name]) => name),
        ['paging_init', 'kernel_main'],
      );
      const instructions = instructionsOf('paging_init');
      const at = instructions.indexOf(await gdb.value('$rip'));
      assert.ok(at >= 0);
      const stepped = await gdb.until('-exec-step-instruction');
      assert.match(stepped, /reason="end-stepping-range"/);
      assert.equal(frameOf(stepped).address, instructions[at + 1]);
      assert.equal(frameOf(await gdb.until('-exec-finish')).function, 'kernel_main');
      const { line } = frameOf(await gdb.until('-exec-next'));
      assert.ok(line > marker('kernel-main').line);
    }),
  );

  test(
    'sees the same registers as another client of the stub, flags by their names, and can set them',
    session(async (gdb, core) => {
      await gdb.send('-break-insert paging_init');
      await gdb.until('-exec-continue');
      const other = await RspClient.open(core.gdb2);
      const file = await other.ask('g');
      const seen = await gdb.registers();
      for (const { name, offset, bits } of registers.filter(({ group }) => group !== 'float' && group !== 'vector')) {
        const bytes = Buffer.from(file.slice(2 * offset, 2 * offset + bits / 4), 'hex');
        const value = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
        assert.equal(BigInt(seen.get(name) ?? -1), value, name);
      }
      assert.match(await gdb.console('info registers cr0'), /\[.*PE.*PG.*\]/);
      assert.match(await gdb.console('info registers efer'), /\[.*LME.*LMA.*\]/);
      assert.match(await gdb.console('info registers mxcsr'), /\[ IM DM ZM OM UM PM /);
      await gdb.send('-gdb-set var $rax=0x1122334455667788');
      assert.equal(await other.ask('p0'), '8877665544332211');
      other.close();
    }),
  );

  test(
    'reads and writes memory, and never sees the traps',
    session(async (gdb, core) => {
      await gdb.send('-break-insert print');
      await gdb.until('-exec-continue');
      await gdb.send('-break-insert paging_init');
      const code = codeOf('print');
      const read = await gdb.send(`-data-read-memory-bytes print ${code.length / 2}`);
      assert.equal(/contents="(\w+)"/.exec(read)?.[1], code);
      const place = addressOf('main_loop_passes');
      await gdb.send(`-data-write-memory-bytes &main_loop_passes 8877665544332211`);
      assert.equal(await gdb.value('main_loop_passes'), 0x1122334455667788n);
      const inspector = await core.inspect();
      const physical = `0x${(place - 0xffff_ffff_8000_0000n).toString(16)}` as const;
      const { data } = await inspector.sendRequest(inspect.readPhysical, { address: physical, length: 8 });
      assert.equal(Buffer.from(data, 'base64').toString('hex'), '8877665544332211');
      inspector.end();
      await assert.rejects(gdb.send('-data-read-memory-bytes 0x123456789000 4'), /Unable to read memory/);
    }),
  );

  test(
    'stops a running guest with Control-C, detaches and attaches again',
    session(async (gdb, core) => {
      const running = gdb.send('-exec-continue');
      const inspector = await core.inspect();
      while ((await inspector.sendRequest(inspect.state)).kind !== 'running') await new Promise(setImmediate);
      await running;
      const stop = gdb.stop();
      gdb.interrupt();
      assert.match(await stop, /signal-name="SIGINT"/);
      assert.equal((await inspector.sendRequest(inspect.state)).kind, 'stopped');
      await gdb.send('-target-detach');
      assert.equal((await inspector.sendRequest(inspect.state)).kind, 'running');
      const again = new Gdb(sampleKernel);
      await again.send(`-target-select remote ${core.gdb}`);
      assert.equal((await inspector.sendRequest(inspect.state)).kind, 'stopped');
      assert.notEqual(await again.value('$rip'), 0n);
      await again.quit();
      inspector.end();
    }),
  );

  test(
    'shows vCPUs as threads, and asks the monitor',
    session(async (gdb) => {
      await gdb.send('-break-insert paging_init');
      await gdb.until('-exec-continue');
      assert.match(await gdb.send('-thread-info'), /id="1".*name="vCPU 0".*state="stopped"/);
      const text = await gdb.console('monitor info registers');
      const cr3 = BigInt(`0x${/CR3=([0-9a-f]+)/.exec(text)?.[1]}`);
      assert.equal(cr3, BigInt((await gdb.registers()).get('cr3') ?? -1));
      assert.match(await gdb.console('monitor info lapic'), /local APIC state of vCPU 0/);
      const gpa = /gpa: (0x[0-9a-f]+)/.exec(
        await gdb.console(`monitor gva2gpa 0x${addressOf('print').toString(16)}`),
      )?.[1];
      assert.equal(BigInt(gpa ?? 0), addressOf('print') - 0xffff_ffff_8000_0000n);
    }),
  );

  test('a second gdb is told that the stub is taken', () =>
    withCore(async (core) => {
      const first = new Gdb(sampleKernel);
      await first.send(`-target-select remote ${core.gdb}`);
      const second = new Gdb(sampleKernel);
      await assert.rejects(second.send(`-target-select remote ${core.gdb}`));
      await second.quit();
      assert.equal(await first.value('$rip'), addressOf('start64'));
      await first.quit();
    }));
});
