/** A guest of which only a System.map is known: functions by name, and names in the call stack. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { launch, runToStop, stack, withAdapter } from '../adapter/driving.ts';
import { SAMPLE } from '../adapter/sample.ts';
import { noQemu, qemuAdapter } from './qemu.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-map-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The stack at the entry of a function in the middle of the sample guest's work. */
async function stackAt(name: string, attributes: Record<string, unknown>) {
  let frames: Awaited<ReturnType<typeof stack>> = [];
  await withAdapter(qemuAdapter, async (client) => {
    await launch(client, attributes);
    const answer = await client.request('setFunctionBreakpoints', { breakpoints: [{ name }] });
    assert.deepEqual(
      answer.breakpoints.map(({ verified }) => verified),
      [true],
    );
    await runToStop(client);
    frames = await stack(client);
  });
  return frames;
}

describe('symbols out of a text', { skip: noQemu }, () => {
  test('a function breakpoint, and the frames that DWARF has, as symbol and offset', async () => {
    const symbols = join(folder, 'System.map');
    writeFileSync(symbols, execFileSync('nm', ['-n', SAMPLE]));
    const [here, ...callers] = await stackAt('tree_sum', { symbols });
    assert.equal(here?.name, 'tree_sum');
    assert.equal(here.source, undefined);
    const [, ...wanted] = await stackAt('tree_sum', {});
    assert.ok(wanted.length >= 2);
    assert.deepEqual(
      callers.map(({ name }) => name.replace(/\+0x[0-9a-f]+$/, '')).slice(0, wanted.length),
      wanted.map(({ name }) => name),
    );
    assert.ok(callers.every(({ name }) => /\+0x[0-9a-f]+$/.test(name)));
  });
});
