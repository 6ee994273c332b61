/** Functions that are inlined all over a kernel: gdb finds the same copies, and meanwhile the adapter answers others. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { areas } from '../../debug-adapter/session/areas.ts';
import { CannedTarget } from '../../debug-adapter/session/canned-target.ts';
import { DapServer } from '../../debug-adapter/session/server.ts';
import type { BreakpointPlace } from '../../debug-adapter/symbols/api.ts';
import { ElfFile } from '../../debug-adapter/symbols/elf.ts';
import { breakpointAddresses } from '../../debug-adapter/symbols/fixtures/toolchain.ts';
import { type OpenSymbols, openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { vmlinux } from './vmlinux.ts';

const FUNCTION = 'list_empty';
let symbols: OpenSymbols;
let ours: readonly BreakpointPlace[];

before(async () => {
  symbols = await openSymbols(vmlinux);
  await symbols.indexed;
  ours = await symbols.placesForFunction(FUNCTION);
});
after(() => symbols.close());

const functionsAround = (addresses: readonly bigint[]) =>
  addresses.map((address) => symbols.symbolAt(address)?.name ?? '').sort();

describe('a function with copies in a thousand units', () => {
  // In it, too, but at another instruction: gdb 13 takes the copy's lowest one, and we DW_AT_entry_pc.
  test('has as many places in each function as gdb has', () => {
    const [theirs = []] = breakpointAddresses(vmlinux, [FUNCTION]);
    assert.ok(ours.length > 1000, `${ours.length} places`);
    assert.deepEqual(functionsAround(ours.map(({ address }) => address)), functionsAround(theirs));
  });

  test('shows its frame where it stops', () => {
    const sample = ours.filter((_, index) => index % 16 === 0).map(({ address }) => address);
    const without = sample.filter((address) => {
      return symbols.inlineLevels(address).every((level) => level.function.name !== FUNCTION);
    });
    assert.deepEqual(without, []);
  });

  test('leaves the adapter time for others', async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    const server = new DapServer(areas, async () => new CannedTarget(ElfFile.open(vmlinux)));
    server.start(input, output);
    const client = new DapClient(output, input);
    try {
      await client.request('initialize', { adapterID: 'kvm' });
      await client.request('launch', { program: vmlinux, stopOnEntry: true, console: 'internalConsole' });
      await client.request('loadedSources', {});
      const { file, line } = ours[0]?.line ?? assert.fail();
      const path = join(dirname(vmlinux), file);
      for (const ask of [
        () => client.request('setFunctionBreakpoints', { breakpoints: [{ name: FUNCTION }] }),
        () => client.request('breakpointLocations', { source: { path }, line }),
        () => client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] }),
      ]) {
        let isAnswered = false;
        const asked = ask().finally(() => {
          isAnswered = true;
        });
        let meanwhile = 0;
        // What the user types gets through while others wait; that nobody is there to read it is an answer, too.
        for (; !isAnswered; meanwhile++) {
          await client.send('ringside/consoleInput', { data: '' });
          // Between streams in one process all that would be in one turn of the event loop.
          await setImmediate();
        }
        const { breakpoints } = await asked;
        assert.equal(breakpoints.length, 1);
        assert.ok(meanwhile > 20, `${meanwhile} answers meanwhile`);
      }
    } finally {
      await server.close();
    }
  });
});
