/** Attaching to a guest that runs under a QEMU of somebody else's: what the views show, and how the guest is left. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { InterruptsPart, MemoryMapPart, RegisterGroup } from '../../debug-adapter/protocol/custom.ts';
import { QmpClient } from '../../debug-adapter/target/qmp-client.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { move, runToStop, topFrame, withAdapter } from '../adapter/driving.ts';
import { marker, SAMPLE } from '../adapter/sample.ts';
import { connectTo, endChild, type QemuSockets, startQemu } from './attach-adapter.ts';
import { noQemu } from './qemu.ts';

type Body = (client: DapClient, sockets: QemuSockets, qemu: ChildProcess) => Promise<void>;

/** Runs `body` beside a QEMU with the sample guest, stopped at its first instruction. */
async function withQemu(body: Body): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-attach-'));
  const { child, sockets } = startQemu(folder, SAMPLE);
  try {
    // Both sockets are there when one answers: QEMU listens before it runs.
    (await connectTo(sockets.qmp, child)).destroy();
    await withAdapter(coreAdapter, (client) => body(client, sockets, child));
  } finally {
    await endChild(child);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function attach(client: DapClient, sockets: QemuSockets, attributes: Record<string, unknown> = {}) {
  await client.request('attach', { target: `unix:${sockets.gdb}`, program: SAMPLE, ...attributes });
  await client.event('initialized');
}

async function stopInShowcase(client: DapClient) {
  const { path, line } = marker('showcase-loop');
  await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
  return runToStop(client);
}

/** The run state by QEMU's own word. */
async function qemuStatus(sockets: QemuSockets, qemu: ChildProcess): Promise<unknown> {
  const qmp = await QmpClient.open(await connectTo(sockets.qmp, qemu));
  try {
    return ((await qmp.execute('query-status')) as { status: unknown }).status;
  } finally {
    qmp.close();
  }
}

describe('attach', { skip: noQemu, timeout: 300_000 }, () => {
  for (const way of ['the monitor of the stub', 'QMP'] as const) {
    test(`the views show what ${way} tells`, () =>
      withQemu(async (client, sockets) => {
        await attach(client, sockets, way === 'QMP' ? { qmp: `unix:${sockets.qmp}` } : {});
        await stopInShowcase(client);
        const snapshot = await client.request('ringside/snapshot', {
          threadId: 1,
          parts: ['registers', 'interrupts', 'memoryMap', 'hypercalls', 'pageTables'],
        });
        const interrupts = snapshot.interrupts as InterruptsPart;
        assert.ok(interrupts.lapic?.softwareEnabled);
        assert.equal(interrupts.lapic?.lvt.find(({ name }) => name === 'Timer')?.vector, 0x40);
        assert.equal(interrupts.ioapic?.pins.length, 24);
        assert.deepEqual(
          interrupts.pic.map(({ name, vectorBase }) => [name, vectorBase]),
          [
            ['master', 0x20],
            ['slave', 0x28],
          ],
        );
        assert.equal(interrupts.idt.find(({ vector }) => vector === 0)?.symbol, 'divide_error');
        assert.ok((interrupts.unknown?.length ?? 0) > 0);
        const { regions, ports } = snapshot.memoryMap as MemoryMapPart;
        assert.ok(regions.some(({ kind, end }) => kind === 'ram' && BigInt(end) === 64n << 20n));
        const [framebuffer, ...others] = regions.filter(({ kind }) => kind === 'framebuffer');
        assert.ok(framebuffer, 'QEMU has a VGA of 16 MiB');
        assert.deepEqual([framebuffer.name, others], ['vga.vram', []]);
        assert.equal(BigInt(framebuffer.end) - BigInt(framebuffer.start), 16n << 20n);
        assert.ok(ports.some(({ first, last }) => first <= 0x20 && last >= 0x21));
        const registers = (snapshot.registers as readonly RegisterGroup[]).flatMap((group) => group.registers);
        const idtr = registers.find(({ name }) => name === 'idtr_base');
        assert.match(idtr?.symbol ?? '', /^idt/);
        assert.equal(idtr?.writable, false);
        assert.ok(snapshot.pageTables && 'entries' in snapshot.pageTables);
        assert.match((snapshot.hypercalls as { error: string }).error, /does not tell hypercalls.*KVM/);
      }));
  }

  test('a disconnect leaves the guest running, without our breakpoints', () =>
    withQemu(async (client, sockets, qemu) => {
      await attach(client, sockets);
      await stopInShowcase(client);
      await client.request('disconnect', {});
      assert.equal(await qemuStatus(sockets, qemu), 'running');
      // Were the breakpoint still there, the guest would soon stand at it again.
      const { path, line } = marker('main-loop');
      await withAdapter(coreAdapter, async (again) => {
        await attach(again, sockets);
        await again.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
        await runToStop(again);
        assert.equal((await topFrame(again)).name, 'main_loop_pass');
        await move(again, 'continue');
        await again.request('continue', { threadId: 1 });
        // Let go while it runs, this time.
        await again.request('disconnect', {});
      });
      assert.equal(await qemuStatus(sockets, qemu), 'running');
    }));

  test('a disconnect that terminates ends it', () =>
    withQemu(async (client, sockets, qemu) => {
      await attach(client, sockets);
      await stopInShowcase(client);
      const gone = new Promise((resolve) => qemu.once('exit', resolve));
      await client.request('disconnect', { terminateDebuggee: true });
      await gone;
    }));

  test('a guest that goes away is noticed', () =>
    withQemu(async (client, sockets, qemu) => {
      await attach(client, sockets, { stopOnEntry: true });
      await runToStop(client);
      await endChild(qemu);
      const { message } = await client.event<{ message: string }>('ringside/ended');
      assert.match(message, /GDB stub at .*: the connection was closed/);
    }));
});

describe('what attach refuses', () => {
  const cases: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['no target', {}, /"target" is missing.*HOST:PORT/],
    ['a target that is no address', { target: 'localhost' }, /"target" must be "HOST:PORT" or "unix:PATH"/],
    ['nobody there', { target: 'unix:/no/such/socket' }, /"target": no GDB stub at \/no\/such\/socket.*no such socket/],
    ['nobody at a port', { target: '127.0.0.1:1' }, /"target": .*127.0.0.1:1: nobody listens there.*-gdb tcp::1234/],
    ['no monitor', { target: ':1', qmp: 'unix:/no/such/qmp' }, /"qmp": no QMP server at/],
    ['no such program', { target: ':1', program: '/no/such/kernel' }, /"program": cannot read/],
  ];
  for (const [name, attributes, message] of cases) {
    test(name, () =>
      withAdapter(coreAdapter, async (client) => {
        const response = await client.send('attach', attributes);
        assert.equal(response.success, false);
        assert.match(response.message ?? '', message);
        assert.equal(response.body.error.showUser, true);
      }),
    );
  }
});

describe('a QEMU of our own', { skip: noQemu, timeout: 300_000 }, () => {
  const launch = async (client: DapClient) => {
    const attributes = { program: SAMPLE, memory: '64M', console: 'internalConsole', backend: 'qemu' };
    await client.request('launch', attributes);
    await client.event('initialized');
    await client.request('configurationDone');
    let text = '';
    await client.event<{ output: string }>('output', ({ output }) => {
      text += output;
      return text.includes('ready: type');
    });
  };
  const type = (client: DapClient, keys: string) =>
    client.request('ringside/consoleInput', { data: Buffer.from(keys).toString('base64') });

  test('its serial port is the console, and the debug-exit port ends it with its status', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await type(client, 'q');
      const ended = await client.event<{ exitStatus: number; message: string }>('ringside/ended');
      assert.equal(ended.exitStatus, 85);
      assert.match(ended.message, /debug-exit/);
    }));

  test('a triple fault stops with the registers readable, and can go on no more', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await type(client, 't');
      const stopped = await client.stopped();
      assert.match(stopped.text ?? '', /triple fault/);
      assert.equal((await topFrame(client)).name, 'triple_fault');
      await client.request('continue', { threadId: 1 });
      assert.match((await client.event<{ message: string }>('ringside/ended')).message, /reset/);
    }));

  test('an adapter that is killed leaves no QEMU', async () => {
    const adapter = coreAdapter();
    await adapter.client.request('initialize', { adapterID: 'kvm' });
    await launch(adapter.client);
    const { stdout } = spawnSync('pgrep', ['-P', String(adapter.process.pid), '-f', 'qemu-system'], {
      encoding: 'utf8',
    });
    const pid = Number(stdout.trim());
    assert.ok(pid > 0);
    adapter.process.kill('SIGKILL');
    const isThere = () => {
      const status = spawnSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8' }).stdout;
      return /^State:\s+[^Z\s]/m.test(status);
    };
    while (isThere()) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('says what QEMU cannot do, by the attribute', () =>
    withAdapter(coreAdapter, async (client) => {
      for (const [attributes, message] of [
        [{ gdb: 'tcp:1234' }, /"gdb": QEMU has one GDB stub/],
        [{ personality: 'xen' }, /"personality": .*no xen/],
        [{ framebuffer: '1024x768' }, /"framebuffer": QEMU's own loader/],
        [{ boot: 'flat32' }, /"boot": .*not flat32/],
      ] as const) {
        const response = await client.send('launch', { program: SAMPLE, backend: 'qemu', ...attributes });
        assert.match(response.message ?? '', message);
      }
    }));
});
