/** What the Exits and vCPUs views ask for, on the real core: counts, the trace, stops on what was seen, one vCPU alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExitsPart, VcpusPart } from '../../debug-adapter/protocol/custom.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { clearAt, evaluate, launch, runToStop, stopAt, topFrame, type, withAdapter } from './driving.ts';
import { marker } from './sample.ts';

const COM1_WRITE = 'port 0x3f8 write';

describe('exits and vCPUs', { skip: noKvm }, () => {
  test('exits are counted by place and code; the guest stops on one, which is the last of the trace', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'ready');
      const { exits } = await client.request('ringside/snapshot', { threadId: 1, parts: ['exits'] });
      const { counts, ran } = exits as ExitsPart;
      const written = counts.find(
        ({ kind, reason, address }) => kind === 'place' && reason === 'port-out' && address === '0x3f8',
      );
      assert.deepEqual([written?.device, written?.register], ['COM1', 'THR']);
      const named = counts.filter(({ kind, symbol }) => kind === 'rip' && symbol !== undefined);
      assert.ok(named.length > 0, 'code has names');
      assert.ok(ran > 0 && counts.every(({ count, time }) => count > 0 && time <= ran));

      await clearAt(client, 'ready');
      await client.request('ringside/stopOn', { stops: [COM1_WRITE] });
      const { from } = await client.request('ringside/traceExits', { on: true });
      await client.request('continue', { threadId: 1 });
      const stopped = await client.stopped();
      assert.equal(stopped.reason, 'breakpoint', 'it is no exception');
      assert.match(stopped.description ?? '', /^The guest wrote 0x[0-9a-f]+ to port 0x3f8 \(1 byte\)\.$/);
      const { records, total } = await client.request('ringside/exitTrace', { from, limit: 10_000 });
      // The guest is entered once more to have the access completed, and left by a signal.
      const last = records.findLast(({ reason }) => reason !== 'kick');
      assert.deepEqual([last?.reason, last?.address, last?.device, last?.size], ['port-out', '0x3f8', 'COM1', 1]);
      assert.equal(records.filter(({ address, reason }) => address === '0x3f8' && reason === 'port-out').length, 1);
      assert.equal(total, (from[0] ?? 0) + records.length);
      await assert.rejects(client.request('ringside/stopOn', { stops: ['nonsense'] }), /not understood: nonsense/);

      await client.request('ringside/stopOn', { stops: [] });
      await client.request('continue', { threadId: 1 });
      // Set while the guest runs: the guest is stopped for it, unseen.
      await client.request('ringside/stopOn', { stops: ['exit io'] });
      // A guest that has printed all accesses no more ports, until a key is pressed.
      await type(client, '?');
      await client.stopped();
    }));

  test('the guest stops before it writes CR3, as the kernel does when it starts, and then writes what was said', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client, { stopOnEntry: true });
      await runToStop(client);
      await client.request('ringside/stopOn', { stops: ['cr3'] });
      const symbols: string[] = [];
      for (let stop = 0; stop < 2; stop++) {
        await client.request('continue', { threadId: 1 });
        const { description = '', text = '' } = await client.stopped();
        const [, value] = /about to write (0x[0-9a-f]+) to cr3, which holds/.exec(`${description} ${text}`) ?? [];
        assert.ok(value, `${description} ${text}`);
        const { name, instructionPointerReference: memoryReference = '' } = await topFrame(client);
        symbols.push(name);
        const { instructions = [] } =
          (await client.request('disassemble', { memoryReference, instructionCount: 1 })) ?? {};
        assert.match(instructions[0]?.instruction ?? '', /^mov +cr3,/);
        await client.request('stepIn', { threadId: 1, granularity: 'instruction' });
        await client.stopped();
        assert.equal(BigInt(await evaluate(client, '$cr3')), BigInt(value));
      }
      assert.equal(new Set(symbols).size, 2, symbols.join());
    }));

  test('a vCPU that nobody has started waits, and then runs', () =>
    withAdapter(coreAdapter, async (client) => {
      const activities = async () => {
        const { vcpus } = await client.request('ringside/vcpus', {});
        return vcpus.map(({ activity }) => activity);
      };
      await stopAt(client, 'start-other-cpus', { cpus: 2 });
      assert.deepEqual(await activities(), ['stopped', 'waiting for INIT']);
      const { path, line } = marker('secondary-main');
      await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
      await client.request('continue', { threadId: 1 });
      assert.equal((await client.stopped()).threadId, 2);
      assert.equal((await activities())[1], 'stopped');
    }));

  test('each vCPU says what it does; alone, only one moves', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'ready', { cpus: 2 });
      const look = async () => {
        const { vcpus } = await client.request('ringside/snapshot', { threadId: 1, parts: ['vcpus'] });
        return (vcpus as VcpusPart).vcpus;
      };
      const before = await look();
      assert.deepEqual(
        before.map(({ thread }) => thread),
        [1, 2],
      );
      const frame = await topFrame(client);
      assert.equal(before[0]?.activity, 'stopped');
      assert.equal(before[0]?.rip, frame.instructionPointerReference);
      assert.ok(before[0]?.symbol?.startsWith(frame.name.split('(')[0] ?? '?'), before[0]?.symbol);
      assert.ok(
        before.every(({ clock, hostThread }) => clock && clock.guest + clock.halted + clock.steal > 0 && hostThread),
      );
      assert.ok((before[0]?.exits ?? 0) > 0);
      await client.request('ringside/runAlone', { threadId: 1, how: 'step' });
      await client.stopped();
      const after = await look();
      assert.notEqual(after[0]?.rip, before[0]?.rip);
      assert.equal(after[1]?.rip, before[1]?.rip);
      await client.request('ringside/runAlone', { threadId: 1, how: 'continue' });
      await client.event('continued');
      const { vcpus: running } = await client.request('ringside/vcpus', {});
      assert.equal(running[0]?.rip, undefined);
      await client.request('pause', { threadId: 1 });
      await client.stopped();
      assert.equal((await look())[1]?.rip, before[1]?.rip, 'the other stayed where it was');
    }));
});
