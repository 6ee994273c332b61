/**
 * What every debugger can: breakpoints, steps, stacks and values. The same tests for every target: our own core, a QEMU
 * that the adapter starts, one that it attaches to, a stub that knows little, and a recording.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { breakpointTermTests } from './breakpoint-suite.ts';
import {
  type Adapter,
  clearAt,
  evaluate,
  launch,
  move,
  runToStop,
  scopeOf,
  stack,
  stopAt,
  topFrame,
  variablesOf,
  withAdapter,
} from './driving.ts';
import { marker } from './sample.ts';

export interface SuiteOptions {
  readonly skip: string | false;
  /** False for stubs that show no control registers. */
  readonly controlRegisters?: boolean;
  /** False for a stub that has none. */
  readonly watchpoints?: boolean;
  /** False where debug registers do not fire on execution. */
  readonly hardwareBreakpoints?: boolean;
}

export function debuggingSuite(
  name: string,
  open: () => Adapter,
  { skip, controlRegisters = true, watchpoints = true, hardwareBreakpoints = true }: SuiteOptions,
): void {
  describe(name, { skip }, () => {
    breakpointTests(open);
    breakpointTermTests(open, { watchpoints, hardwareBreakpoints });
    stepTests(open);
    targetTests(open);
    valueTests(open, controlRegisters);
    memoryTests(open);
  });
}

function breakpointTests(open: () => Adapter): void {
  test('a source breakpoint stops there, in a stack down to the boot code', () =>
    withAdapter(open, async (client) => {
      const stopped = await stopAt(client, 'apply');
      assert.equal(stopped.reason, 'breakpoint');
      assert.deepEqual(stopped.hitBreakpointIds, [1]);
      const frames = await stack(client);
      assert.equal(frames[0]?.line, marker('apply').line);
      assert.equal(frames[0]?.source?.path, marker('apply').path);
      assert.deepEqual(
        frames.map((frame) => frame.name),
        ['apply', 'showcase_visit', 'kernel_main', 'enter_kernel'],
      );
      assert.ok(frames.every((frame) => /^0x[0-9a-f]+$/.test(frame.instructionPointerReference ?? '')));
    }));

  test('lines without code move or say so, and other files say why', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const { path, line } = marker('tree-sum');
      const set = await client.request('setBreakpoints', {
        source: { path },
        breakpoints: [{ line: line - 5 }, { line }, { line: 100_000 }],
      });
      assert.deepEqual(
        set.breakpoints.map(({ verified }) => verified),
        [true, true, false],
      );
      assert.ok((set.breakpoints[0]?.line ?? 0) > line - 5, 'a comment line moves down');
      assert.match(set.breakpoints[2]?.message ?? '', /no code/);
      const other = await client.request('setBreakpoints', {
        source: { path: '/nowhere/else.c' },
        breakpoints: [{ line: 1 }],
      });
      assert.match(other.breakpoints[0]?.message ?? '', /not part of the program/);
      const places = await client.request('breakpointLocations', { source: { path }, line: line - 8, endLine: line });
      assert.ok(places.breakpoints.some((place) => place.line === line));
      assert.ok(places.breakpoints.every((place) => place.line >= line - 8 && place.line <= line));
    }));

  test('functions and instructions', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const functions = await client.request('setFunctionBreakpoints', {
        breakpoints: [{ name: 'record_event' }, { name: 'no_such_function' }],
      });
      assert.deepEqual(
        functions.breakpoints.map(({ verified }) => verified),
        [true, false],
      );
      assert.match(functions.breakpoints[1]?.message ?? '', /no function "no_such_function"/);
      const first = await runToStop(client);
      assert.equal(first.reason, 'function breakpoint');
      const frame = await topFrame(client);
      assert.equal(frame.name, 'record_event');
      const [, caller] = await stack(client);
      await client.request('setInstructionBreakpoints', {
        breakpoints: [{ instructionReference: caller?.instructionPointerReference ?? '' }],
      });
      const second = await move(client, 'continue');
      assert.equal(second.reason, 'instruction breakpoint');
      assert.equal((await topFrame(client)).instructionPointerReference, caller?.instructionPointerReference);
    }));

  test('set and taken away while the guest runs', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      await client.request('configurationDone');
      const { path, line } = marker('main-loop');
      const { breakpoints } = await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
      assert.equal(breakpoints[0]?.verified, true);
      assert.equal((await client.stopped()).reason, 'breakpoint');
      assert.equal((await topFrame(client)).name, 'main_loop_pass');
      await client.request('continue', { threadId: 1 });
      await client.stopped();
      await client.request('continue', { threadId: 1 });
      await clearAt(client, 'main-loop');
      // What was on its way may still arrive; after a pause there must be no breakpoint stop.
      await client.request('pause', { threadId: 1 }).catch(() => undefined);
      await client.stopped();
      await client.request('continue', { threadId: 1 });
      await client.request('pause', { threadId: 1 });
      assert.ok(['pause', 'instruction breakpoint'].includes((await client.stopped()).reason));
    }));

  test('pause and stop on entry', () =>
    withAdapter(open, async (client) => {
      await launch(client, { stopOnEntry: true });
      const entry = await runToStop(client);
      assert.ok(['entry', 'instruction breakpoint'].includes(entry.reason));
      await client.request('continue', { threadId: 1 });
      await assert.rejects(client.request('stackTrace', { threadId: 1 }), /running/);
      await client.request('pause', { threadId: 1 });
      const paused = await client.stopped();
      assert.ok(['pause', 'instruction breakpoint'].includes(paused.reason));
      assert.ok((await stack(client)).length > 0);
    }));
}

function stepTests(open: () => Adapter): void {
  test('next passes over calls, stepIn goes into them, stepOut comes back', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const start = await topFrame(client);
      await move(client, 'stepIn');
      const inside = await topFrame(client);
      assert.equal(inside.name, 'apply');
      assert.notEqual(inside.line, start.line);
      await clearAt(client, 'showcase-loop');
      await move(client, 'stepOut');
      const back = await topFrame(client);
      assert.deepEqual([back.name, back.line], ['showcase_visit', start.line]);
      await move(client, 'next');
      const after = await topFrame(client);
      assert.equal(after.name, 'showcase_visit');
      assert.notEqual(after.line, start.line);
    }));

  test('next stays in its own frame of a recursion', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'tree_sum' }] });
      await runToStop(client);
      await client.request('setFunctionBreakpoints', { breakpoints: [] });
      const depth = (await stack(client)).length;
      const lines: number[] = [];
      for (let step = 0; step < 8; step++) {
        const frames = await stack(client);
        if (frames[0]?.name !== 'tree_sum') break;
        assert.equal(frames.length, depth, 'the depth of the stack');
        lines.push(frames[0].line);
        await move(client, 'next');
      }
      assert.ok(lines.includes(marker('tree-sum').line), `tree-sum's line is among ${lines}`);
      assert.equal((await topFrame(client)).name, 'showcase_visit');
    }));

  test('stepOut of a recursion leaves one level', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'tree-leaf');
      await clearAt(client, 'tree-leaf');
      const before = await stack(client);
      await move(client, 'stepOut');
      const after = await stack(client);
      assert.equal(after.length, before.length - 1);
      assert.equal(after[0]?.instructionPointerReference, before[1]?.instructionPointerReference);
    }));

  test('by instruction', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      await clearAt(client, 'showcase-loop');
      const pcs = [BigInt((await topFrame(client)).instructionPointerReference ?? 0)];
      while ((await topFrame(client)).name === 'showcase_visit' && pcs.length < 10) {
        const stopped = await move(client, 'stepIn', { granularity: 'instruction' });
        assert.equal(stopped.reason, 'step');
        pcs.push(BigInt((await topFrame(client)).instructionPointerReference ?? 0));
      }
      assert.equal((await topFrame(client)).name, 'apply');
      assert.equal(new Set(pcs).size, pcs.length);
      const caller = (await stack(client))[1];
      await move(client, 'stepOut', { granularity: 'instruction' });
      assert.equal((await topFrame(client)).instructionPointerReference, caller?.instructionPointerReference);
    }));

  test('next by instruction passes over a call', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      await clearAt(client, 'showcase-loop');
      const { line } = await topFrame(client);
      for (let step = 0; step < 10 && (await topFrame(client)).line === line; step++) {
        await move(client, 'next', { granularity: 'instruction' });
        assert.equal((await topFrame(client)).name, 'showcase_visit');
      }
      assert.notEqual((await topFrame(client)).line, line);
    }));
}

function targetTests(open: () => Adapter): void {
  test('a step into one of several calls of a line', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const { path, line } = marker('tree-sum');
      await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line: line - 1 }] });
      await runToStop(client);
      await clearAt(client, 'tree-sum');
      const frameId = (await topFrame(client)).id;
      const { targets } = await client.request('stepInTargets', { frameId });
      assert.deepEqual(
        targets.map((target) => [target.label, target.line]),
        [
          ['tree_sum', line - 1],
          ['tree_sum', line - 1],
        ],
      );
      const right = await evaluate(client, '(long)node->right', frameId);
      assert.equal((await move(client, 'stepIn', { targetId: targets[1]?.id ?? 0 })).reason, 'step');
      const [inside, caller] = await stack(client);
      assert.deepEqual([inside?.name, caller?.name], ['tree_sum', 'tree_sum']);
      assert.equal(await evaluate(client, '(long)node', inside?.id), right);
      await assert.rejects(client.request('stepIn', { threadId: 1, targetId: targets[0]?.id ?? 0 }), /earlier stop/);
    }));

  test('a jump to another line of the function', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      await clearAt(client, 'showcase-loop');
      const { path, line } = marker('showcase-end');
      const source = { path };
      const pass = await evaluate(client, 'pass');
      const elsewhere = await client.request('gotoTargets', { source, line: marker('tree-sum').line });
      assert.deepEqual(elsewhere.targets, [], 'another function would have no frame');
      const { targets } = await client.request('gotoTargets', { source, line });
      const [target] = targets;
      assert.deepEqual([target?.label, target?.line], [`showcase_visit, line ${line}`, line]);
      await client.request('goto', { threadId: 1, targetId: target?.id ?? 0 });
      const stopped = await client.stopped();
      assert.deepEqual([stopped.reason, stopped.description], ['goto', 'Paused after a jump']);
      const frame = await topFrame(client);
      assert.deepEqual([frame.name, frame.line], ['showcase_visit', line]);
      assert.equal(frame.instructionPointerReference, target?.instructionPointerReference);
      assert.equal(await evaluate(client, 'pass'), pass);
      await move(client, 'stepIn');
      assert.equal((await topFrame(client)).name, 'record_event');
    }));
}

function valueTests(open: () => Adapter, controlRegisters: boolean): void {
  test('locals, arguments, members and elements', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { id } = await topFrame(client);
      const locals = await variablesOf(client, await scopeOf(client, id, 'Locals'));
      const rectangle = locals.find((variable) => variable.name === 'rectangle');
      assert.equal(rectangle?.type, 'struct rectangle *');
      const members = await variablesOf(client, rectangle?.variablesReference ?? 0);
      assert.deepEqual(
        members.map((member) => [member.name, member.value]),
        [
          ['corner', '{x = 1, y = 2}'],
          ['size', '{x = 31, y = 40}'],
          ['colour', 'GREEN'],
        ],
      );
      const [pass] = await variablesOf(client, await scopeOf(client, id, 'Arguments'));
      assert.deepEqual([pass?.name, pass?.value], ['pass', '0']);
    }));

  test('expressions', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { id, instructionPointerReference } = await topFrame(client);
      const cases: readonly (readonly [string, string | RegExp])[] = [
        ['showcase.matrix[1][2]', '7'],
        ['rectangle->size.x', '31'],
        ['rectangle->size.x,x', '0x1f'],
        ['showcase.header.length', '1500'],
        ['showcase.header.delta', '-3'],
        ['*showcase.root->left', /key = 2/],
        ['sizeof(struct point)', '8'],
        ['$rip', new RegExp(`^${instructionPointerReference}`)],
        ['1 + 2 * 3', '7'],
      ];
      for (const [expression, expected] of cases) {
        const result = await evaluate(client, expression, id);
        if (typeof expected === 'string') assert.equal(result, expected, expression);
        else assert.match(result, expected, expression);
      }
      await assert.rejects(evaluate(client, 'no_such_name', id), /no_such_name/);
      await assert.rejects(evaluate(client, '1 +', id));
    }));

  test('changing variables, members, expressions and registers', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { id } = await topFrame(client);
      const invalidated = async (area: string) =>
        assert.deepEqual((await client.event<{ areas: readonly string[] }>('invalidated')).areas, [area]);
      const members = await variablesOf(
        client,
        (await client.request('evaluate', { expression: 'showcase.rectangles[0].size', frameId: id }))
          .variablesReference,
      );
      assert.equal(members[0]?.value, '31');
      const { variablesReference } = await client.request('evaluate', {
        expression: 'showcase.rectangles[0].size',
        frameId: id,
      });
      const set = await client.request('setVariable', { variablesReference, name: 'x', value: '2 * 21' });
      assert.equal(set.value, '42');
      await invalidated('variables');
      assert.equal(await evaluate(client, 'rectangle->size.x', id), '42');
      await client.request('setExpression', { expression: 'showcase.header.delta', value: '-5', frameId: id });
      await invalidated('variables');
      assert.equal(await evaluate(client, 'showcase.header.delta', id), '-5');
      const registers = await scopeOf(client, id, 'Registers');
      await client.request('setVariable', { variablesReference: registers, name: 'r15', value: '0x1234' });
      await invalidated('all');
      assert.match(await evaluate(client, '$r15', id), /4660|0x1234/);
      const shown = await variablesOf(client, await scopeOf(client, id, 'Registers'));
      assert.equal(shown.find((register) => register.name === 'r15')?.value, '0x1234');
    }));

  test('registers as a scope, in groups', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'apply');
      const frames = await stack(client);
      const shown = await variablesOf(client, await scopeOf(client, frames[0]?.id ?? 0, 'Registers'));
      assert.equal(shown.find((register) => register.name === 'rip')?.value, frames[0]?.instructionPointerReference);
      const control = shown.find((group) => group.name === 'Control');
      assert.equal(control !== undefined, controlRegisters);
      if (control) {
        const cr0 = (await variablesOf(client, control.variablesReference)).find(({ name }) => name === 'cr0');
        assert.match(cr0?.value ?? '', /\[PG WP .*PE\]/);
      }
      const callers = await variablesOf(client, await scopeOf(client, frames[1]?.id ?? 0, 'Registers'));
      assert.equal(callers.find((register) => register.name === 'rip')?.value, frames[1]?.instructionPointerReference);
    }));

  test('completions', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { id } = await topFrame(client);
      const complete = async (text: string) => {
        const { targets } = await client.request('completions', { text, column: text.length + 1, frameId: id });
        return targets.map(({ label }) => label);
      };
      assert.deepEqual(await complete('rectangle->co'), ['corner', 'colour']);
      assert.deepEqual(await complete('showcase.rectangles[1].si'), ['size']);
      assert.ok((await complete('$r1')).includes('$r15'));
      assert.ok((await complete('rect')).includes('rectangle'));
      assert.ok((await complete('showcase_v')).includes('showcase_visit'));
      assert.deepEqual(await complete('nonsense->'), []);
    }));

  test('references from an earlier stop are refused, not mixed up', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { id } = await topFrame(client);
      const locals = await scopeOf(client, id, 'Locals');
      await move(client, 'next');
      await assert.rejects(client.request('scopes', { frameId: id }), /earlier stop/);
      await assert.rejects(client.request('variables', { variablesReference: locals }), /earlier stop/);
    }));
}

function memoryTests(open: () => Adapter): void {
  test('memory is read, written and told of', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { memoryReference = '' } = await client.request('evaluate', { expression: 'showcase.text' });
      const read = await client.request('readMemory', { memoryReference, offset: 8, count: 8 });
      assert.equal(Buffer.from(read?.data ?? '', 'base64').toString('latin1'), 'an array');
      assert.equal(BigInt(read?.address ?? 0), BigInt(memoryReference) + 8n);
      await client.request('writeMemory', {
        memoryReference,
        offset: 8,
        data: Buffer.from('MY').toString('base64'),
      });
      const told = await client.event<{ memoryReference: string; count: number }>('memory');
      assert.equal(told.count, 2);
      await client.event('invalidated');
      assert.match(await evaluate(client, 'showcase.text'), /text in MY array/);
      const unmapped = await client.request('readMemory', { memoryReference: '0xdead00000000', count: 64 });
      assert.equal(unmapped?.unreadableBytes, 64);
    }));

  test('memory ends where the mapping ends, in the middle of a read', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      const { memoryReference = '' } = await client.request('evaluate', { expression: '&showcase' });
      const around = await client.request('readMemory', { memoryReference, count: 1 << 20 });
      const got = Buffer.from(around?.data ?? '', 'base64').length;
      assert.equal(got + (around?.unreadableBytes ?? 0), 1 << 20);
      assert.ok(got > 4096);
    }));

  test('traps do not show, and disassembly has exactly the rows asked for', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'apply');
      const { instructionPointerReference: memoryReference = '' } = await topFrame(client);
      const { instructions = [] } =
        (await client.request('disassemble', { memoryReference, instructionOffset: -20, instructionCount: 50 })) ?? {};
      assert.equal(instructions.length, 50);
      assert.equal(instructions[20]?.address, memoryReference);
      assert.match(instructions[20]?.instruction ?? '', /^(pop|leave|mov|add|lea)/);
      assert.equal(instructions[20]?.line, marker('apply').line);
      const { memoryReference: text = '' } = await client.request('evaluate', { expression: '&apply' });
      assert.ok(instructions.some(({ address, symbol }) => address === text && symbol === 'apply'));
    }));

  test('sources and modules', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const { sources } = await client.request('loadedSources');
      const { path } = marker('apply');
      assert.ok(sources.some((source) => source.path === path));
      const { content } = await client.request('source', { source: { path }, sourceReference: 0 });
      assert.match(content, /#MARKER apply/);
      await assert.rejects(client.request('source', { source: { path: '/etc/passwd' }, sourceReference: 0 }));
      const { modules } = await client.request('modules', {});
      assert.equal(modules[0]?.name, 'ringside-sample.elf');
    }));
}
