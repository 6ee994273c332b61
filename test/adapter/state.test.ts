/** Ringside's own requests: what the views show, on the real core. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inflateSync } from 'node:zlib';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type {
  InterruptsPart,
  MachineSnapshot,
  MemoryMapPart,
  PageTableRoot,
  RegisterGroup,
  StatePart,
  VcpusPart,
} from '../../debug-adapter/protocol/custom.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, launch, move, stopAt, topFrame, withAdapter } from './driving.ts';
import { marker } from './sample.ts';

const EVERYTHING: readonly StatePart[] = ['registers', 'pageTables', 'interrupts', 'hypercalls', 'memoryMap'];

/** A part that was given; an error in its place fails the test. */
function given<Part>(part: Part | { error: string } | undefined): Part {
  assert.ok(part);
  if (typeof part === 'object' && part !== null && 'error' in part) assert.fail(String(part.error));
  return part as Part;
}

describe('state of the machine', { skip: noKvm }, () => {
  test('all parts at once, and only those asked for', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'showcase-end', { framebuffer: '640x480' });
      const all = await client.request('ringside/snapshot', { threadId: 1, parts: EVERYTHING });
      const groups = given<readonly RegisterGroup[]>(all.registers);
      assert.deepEqual(groups.map(({ name }) => name).slice(0, 5), [
        'General',
        'Segment',
        'Control',
        'Descriptor tables',
        'Debug',
      ]);
      const cr0 = groups.flatMap(({ registers }) => registers).find(({ name }) => name === 'cr0');
      assert.equal(cr0?.fields?.find(({ name }) => name === 'PG')?.value, 1);
      const root = given<PageTableRoot>(all.pageTables);
      assert.equal(root.mode, '4-level');
      assert.ok(
        root.entries.some(({ index }) => index === 511),
        'the kernel half is mapped',
      );
      const { idt, lapic, log } = given<InterruptsPart>(all.interrupts);
      assert.ok(idt[14]?.present && idt[14].symbol !== undefined, 'the page-fault gate has a named handler');
      assert.ok(lapic);
      assert.ok(log && log.time > 0 && log.total === log.records.length, 'nothing is lost of a short log');
      const map = given<MemoryMapPart>(all.memoryMap);
      assert.ok(map.regions.some(({ kind, start }) => kind === 'ram' && start === '0x0'));
      const top = BigInt(root.cr3);
      assert.ok(map.pageTables.some(({ start, end }) => BigInt(start) <= top && top < BigInt(end)));
      assert.ok(map.regions.some(({ kind, name }) => kind === 'told' && name === 'usable'));
      const screen = { width: 640, height: 480, stride: 2560, format: 'XRGB8888' };
      assert.deepEqual(map.regions.find(({ kind }) => kind === 'framebuffer')?.screen, screen);
      assert.ok(map.regions.some(({ kind, virtual }) => kind === 'image' && virtual !== undefined));
      const some: MachineSnapshot = await client.request('ringside/snapshot', { threadId: 1, parts: ['memoryMap'] });
      assert.deepEqual(Object.keys(some).sort(), ['memoryMap', 'threadId']);
    }));

  test('parts that are followed come after each stop, as they would be told when asked for', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      const parts = ['registers', 'pageTables', 'vcpus'] as const;
      await client.request('ringside/follow', { parts });
      const { path, line } = marker('showcase-end');
      await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
      await client.request('configurationDone');
      for (let stop = 0; stop < 3; stop++) {
        const stopped = client.stopped();
        const coming = parts.map((part) => client.event<MachineSnapshot>('ringside/part', (made) => part in made));
        if (stop > 0) await client.request('next', { threadId: 1 });
        const { threadId = 1 } = await stopped;
        const come: MachineSnapshot = Object.assign({}, ...(await Promise.all(coming)));
        const asked = await client.request('ringside/snapshot', { threadId, parts });
        assert.equal(come.threadId, asked.threadId);
        assert.deepEqual(come.pageTables, asked.pageTables);
        // Not the TSC, nor times of vCPUs, which go on.
        assert.deepEqual(
          given<readonly RegisterGroup[]>(come.registers)[0],
          given<readonly RegisterGroup[]>(asked.registers)[0],
        );
        assert.equal(given<VcpusPart>(come.vcpus).vcpus.length, given<VcpusPart>(asked.vcpus).vcpus.length);
      }
      await client.request('ringside/follow', { parts: [] });
      let more = 0;
      void client.event('ringside/part', () => ++more < 0).catch(() => undefined);
      await move(client, 'next');
      await client.request('threads');
      assert.equal(more, 0, 'nobody asked for more');
    }));

  test('a part that cannot be had comes with the reason', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client, { cpus: 1 });
      await client.request('ringside/follow', { parts: ['tasks'] });
      const come = client.event<MachineSnapshot>('ringside/part');
      await client.request('configurationDone');
      await client.request('pause', { threadId: 1 });
      const { tasks } = await come;
      assert.ok(tasks && 'error' in tasks && /Linux/.test(tasks.error), JSON.stringify(tasks));
    }));

  test('registers of a calling frame are those that expressions see there', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { stackFrames } = await client.request('stackTrace', { threadId: 1 });
      const caller = stackFrames[1];
      assert.ok(caller);
      const of = async (frameId?: number) => {
        const { registers } = await client.request('ringside/snapshot', {
          ...{ threadId: 1, parts: ['registers'] },
          ...(frameId !== undefined && { frameId }),
        });
        const [general] = given<readonly RegisterGroup[]>(registers);
        return {
          lost: general?.lost ?? [],
          values: new Map(general?.registers.map(({ name, value }) => [name, value])),
        };
      };
      const [own, callers] = [await of(), await of(caller.id)];
      assert.deepEqual(own.lost, []);
      assert.equal(BigInt(callers.values.get('rip') ?? 0), BigInt(caller.instructionPointerReference ?? 0));
      assert.ok(BigInt(callers.values.get('rsp') ?? 0) > BigInt(own.values.get('rsp') ?? 0));
      for (const name of ['rbp', 'rsp', 'rbx', 'r12']) {
        const said: { readonly result: string } = await client.request('evaluate', {
          expression: `$${name}`,
          frameId: caller.id,
        });
        assert.equal(BigInt(said.result.split(' ')[0] ?? ''), BigInt(callers.values.get(name) ?? -1), name);
      }
      assert.ok(callers.lost.includes('rax'), callers.lost.join());
      for (const name of callers.lost) assert.ok(!callers.values.has(name));
    }));

  test('a walk agrees with the tables and with memory', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'showcase-loop');
      const walk = await client.request('ringside/walk', { threadId: 1, address: '&showcase' });
      assert.equal(walk.result.kind, 'mapped');
      assert.deepEqual(
        walk.steps.map(({ entry }) => entry.name),
        ['PML4E', 'PDPTE', 'PDE', 'PTE'],
      );
      const path = walk.steps.slice(0, 3).map(({ entry }) => entry.index);
      const { entries } = await client.request('ringside/pageTable', { threadId: 1, path });
      const last = walk.steps.at(-1)?.entry;
      assert.deepEqual(
        entries.find(({ index }) => index === last?.index),
        last,
      );
      const missing = await client.request('ringside/walk', { threadId: 1, address: '0xdead00000000' });
      assert.equal(missing.result.kind, 'fault');
      await assert.rejects(client.request('ringside/pageTable', { threadId: 1, path: [300] }), /leads nowhere/);
    }));

  test('registers and MSRs can be set', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'showcase-loop');
      const set = await client.request('ringside/setRegister', { threadId: 1, name: 'r14', value: '0x10 + 2' });
      assert.equal(set.value, '0x12');
      assert.match(await evaluate(client, '$r14'), /18|0x12/);
      await client.event('invalidated');
      const lstar = await client.request('ringside/setRegister', { threadId: 1, name: 'LSTAR', value: '0x1000' });
      assert.equal(lstar.value, '0x1000');
      await assert.rejects(
        client.request('ringside/setRegister', { threadId: 1, name: 'nonsense', value: '1' }),
        /no register/,
      );
    }));

  test('an assignment in the debug console says what may look different', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { id } = await topFrame(client);
      const told: unknown[] = [];
      client.onMessage = (message) => {
        const { event, body } = message as DebugProtocol.Event;
        if (event === 'invalidated') told.push(...body.areas);
      };
      const type = async (expression: string) => {
        told.length = 0;
        const { result } = await client.request('evaluate', { expression, frameId: id, context: 'repl' });
        return [result, ...told];
      };
      assert.deepEqual(await type('showcase.small'), ['-12345']);
      assert.deepEqual(await type('showcase.small = 8'), ['8', 'variables']);
      assert.deepEqual((await type('$r14 += 2')).slice(1), ['variables']);
      assert.deepEqual((await type('$rip += 1')).slice(1), ['all']);
      told.length = 0;
      await evaluate(client, 'showcase.small = 7', id);
      assert.deepEqual(told, [], 'a client asks again for what it watches');
    }));

  test('hypercalls are recorded, named and flow while the guest runs', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client, { personality: 'xen' });
      await client.request('configurationDone');
      let flow = await client.request('ringside/hypercalls', { from: 0, limit: 5 });
      while (flow.records.length === 0) flow = await client.request('ringside/hypercalls', { from: 0, limit: 5 });
      assert.ok(Object.values(flow.symbols).length > 0, 'callers have names');
      await client.request('pause', { threadId: 1 });
      await client.stopped();
      const listed = await client.request('ringside/hypercalls', { from: 0, limit: 5 });
      assert.ok(listed.records.length > 0);
      assert.ok(
        listed.records.every(({ sequence }, n) => sequence === n),
        'no gap',
      );
      assert.equal(listed.records.length, Math.min(5, listed.total));
    }));

  test('parts of the processor are refused while the guest runs, the others are not', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await client.request('configurationDone');
      const running = await client.request('ringside/snapshot', { threadId: 1, parts: ['registers', 'memoryMap'] });
      assert.ok(running.registers && 'error' in running.registers);
      given<MemoryMapPart>(running.memoryMap);
    }));

  test('the screen is what lies in the framebuffer, row by row as it changes', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'ready', { framebuffer: '64x100' });
      const write = (row: number, text: string) =>
        client.request('writeMemory', {
          memoryReference: `physical:0x${(0xc000_0000 + row * 256).toString(16)}`,
          data: Buffer.from(text).toString('base64'),
        });
      await write(7, 'seven');
      const all = await client.request('ringside/screen', { known: 0 });
      assert.deepEqual(all.screen, { width: 64, height: 100, stride: 256, format: 'XRGB8888' });
      assert.deepEqual(all.rows, [{ first: 0, count: 100 }]);
      const picture = inflateSync(Buffer.from(all.data, 'base64'));
      assert.equal(picture.length, 100 * 256);
      assert.equal(picture.toString('latin1', 7 * 256, 7 * 256 + 5), 'seven');
      await write(99, 'last');
      const more = await client.request('ringside/screen', { known: all.version });
      assert.deepEqual(more.rows, [{ first: 99, count: 1 }]);
      assert.equal(inflateSync(Buffer.from(more.data, 'base64')).toString('latin1', 0, 4), 'last');
    }));

  test('where there is no framebuffer, how to have one is said', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'ready');
      const response = await client.send('ringside/screen', { known: 0 });
      assert.match(
        response.message ?? '',
        /The guest has no framebuffer. Set "framebuffer": "1024x768" in launch.json/,
      );
      assert.equal(response.body.error.showUser, false);
    }));

  test('monitor commands reach the stub from the debug console', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'apply');
      const { instructionPointerReference = '' } = await topFrame(client);
      for (const expression of ['>info registers', 'monitor info registers', '-exec info registers']) {
        const { result } = await client.request('evaluate', { expression, context: 'repl' });
        assert.ok(result.toLowerCase().includes(instructionPointerReference.slice(2)), expression);
      }
    }));

  test('two vCPUs are two threads', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'ready', { cpus: 2 });
      const { threads } = await client.request('threads');
      assert.deepEqual(
        threads.map(({ name }) => name),
        ['vCPU 0', 'vCPU 1'],
      );
      const rips = new Set<string>();
      for (const { id } of threads) {
        const { stackFrames } = await client.request('stackTrace', { threadId: id });
        const { registers } = await client.request('ringside/snapshot', { threadId: id, parts: ['registers'] });
        const [general] = given<readonly RegisterGroup[]>(registers);
        const rip = general?.registers.find(({ name }) => name === 'rip')?.value ?? '0x0';
        assert.equal(BigInt(rip), BigInt(stackFrames[0]?.instructionPointerReference ?? 1));
        rips.add(rip);
      }
      assert.equal(rips.size, 2, 'each has its own registers');
    }));
});
