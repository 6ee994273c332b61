/** Symbols of more than one file: of a program, and of what it has in memory besides. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, launch, move, runToStop, stack, topFrame, withAdapter } from './driving.ts';
import { gdbOutput } from './gdb-beside.ts';
import { compileKernel } from './small-kernel.ts';

const PAYLOAD = `
int twice(int value);
int calls = 40;
int main(int value) {
  calls++;
  return twice(value) + 1; /* call */
}
int twice(int value) {
  return 2 * value;
}
`;

/** Has the payload's bytes at their address, and no word of their names. */
const kernel = (bytes: string) => `
__asm__(".section .payload, \\"awx\\"; .incbin \\"${bytes}\\"; .text");
int start(void) { return ((int (*)(int))0x200000)(20); }
__attribute__((naked)) void main(void) { __asm__("mov $0x80000, %esp; call start; hlt"); }
`;

describe('symbols of a payload, beside those of what has loaded it', { skip: noKvm }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-symbols-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const [inner, outer] = ['payload', 'kernel'].map((name) => {
    const made = join(folder, name);
    mkdirSync(made);
    return made;
  }) as [string, string];
  const payload = compileKernel(inner, PAYLOAD, ['-Wl,-Ttext=0x200000', '-Wl,-N']);
  const bytes = join(folder, 'payload.bin');
  execFileSync('objcopy', ['-O', 'binary', payload, bytes]);
  const program = compileKernel(outer, kernel(bytes), ['-Wl,--section-start=.payload=0x200000']);

  test('names, lines, values and stacks are those of both, as gdb has them with both', () =>
    withAdapter(coreAdapter, async (client) => {
      const gdb = join(folder, 'gdb');
      await launch(client, { program, moreSymbols: [payload], gdb: `unix:${gdb}` });
      const { breakpoints } = await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'twice' }] });
      assert.equal(breakpoints[0]?.verified, true);
      await runToStop(client);
      const frames = (await stack(client)).slice(0, 3);
      const text = await gdbOutput(program, gdb, [`add-symbol-file ${payload}`, 'bt 3', 'print calls', 'print value']);
      const theirs = [...text.matchAll(/^#\d+ +(?:0x[0-9a-f]+ in )?(\w+) .*:(\d+)$/gm)].map(
        ([, name, line]) => `${name} ${line}`,
      );
      assert.deepEqual(
        frames.map(({ name, line }) => `${name} ${line}`),
        theirs,
      );
      assert.deepEqual(
        frames.map(({ source }) => source?.path),
        [inner, inner, outer].map((path) => join(path, 'program.c')),
      );
      assert.deepEqual([await evaluate(client, 'calls'), await evaluate(client, 'value')], ['41', '20']);
      assert.match(text, /^\$1 = 41\n\$2 = 20$/m);
      await client.request('setFunctionBreakpoints', { breakpoints: [] });
      await move(client, 'stepOut');
      assert.equal((await topFrame(client)).name, 'main');
      const path = join(inner, 'program.c');
      const line = PAYLOAD.split('\n').findIndex((each) => each.includes('call */')) + 1;
      const set = await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
      assert.equal(set.breakpoints[0]?.verified, true);
      const { modules } = await client.request('modules', {});
      assert.deepEqual(
        modules.map(({ symbolFilePath }) => symbolFilePath),
        [program, payload],
      );
    }));

  test('a file that is none is refused by its attribute', () =>
    withAdapter(coreAdapter, async (client) => {
      await assert.rejects(
        launch(client, { program, moreSymbols: [bytes] }),
        /"moreSymbols": .*payload\.bin cannot be used/,
      );
      await assert.rejects(
        launch(client, { program, moreSymbols: [join(folder, 'none')] }),
        /"moreSymbols".*no such file/,
      );
      await assert.rejects(launch(client, { program, moreSymbols: payload }), /"moreSymbols" must be a list/);
    }));
});
