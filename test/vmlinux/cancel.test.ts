/** The reading of a large image's names is shown, and ended when the user says so. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { areas } from '../../debug-adapter/session/areas.ts';
import { CannedTarget } from '../../debug-adapter/session/canned-target.ts';
import { DapServer } from '../../debug-adapter/session/server.ts';
import { ElfFile } from '../../debug-adapter/symbols/elf.ts';
import { vmlinux } from './vmlinux.ts';

const cache = mkdtempSync(join(tmpdir(), 'ringside-cancel-'));
// Nothing was kept there by an earlier reading.
process.env['XDG_CACHE_HOME'] = cache;
after(() => rmSync(cache, { recursive: true }));

test('reading the symbols of a kernel can be cancelled', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const server = new DapServer(areas, async () => new CannedTarget(ElfFile.open(vmlinux)));
  server.start(input, output);
  const client = new DapClient(output, input);
  try {
    await client.request('initialize', { adapterID: 'kvm', supportsProgressReporting: true });
    const starts = client.event<DebugProtocol.ProgressStartEvent['body']>('progressStart');
    await client.request('launch', { program: vmlinux, stopOnEntry: true, console: 'internalConsole' });
    const { progressId, cancellable } = await starts;
    assert.equal(cancellable, true);
    const ends = client.event<DebugProtocol.ProgressEndEvent['body']>('progressEnd');
    await client.request('cancel', { progressId: 'another' });
    await client.request('cancel', { progressId });
    assert.equal((await ends).progressId, progressId);
    // What waits for the names goes on without them.
    assert.deepEqual((await client.request('loadedSources', {})).sources, []);
    const { breakpoints } = await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'vfs_read' }] });
    assert.deepEqual(
      breakpoints.map(({ verified }) => verified),
      [true],
    );
  } finally {
    await server.close();
  }
});
