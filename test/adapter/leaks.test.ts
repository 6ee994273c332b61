/** Nothing stays of a session: no process, no socket and, with the processes, no guest memory. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RingsideEvents } from '../../debug-adapter/protocol/custom.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { launch, move, runToStop, withAdapter } from './driving.ts';

/** A folder for temporary files of this test's sessions alone. */
const temporary = mkdtempSync(join(tmpdir(), 'ringside-leaks-'));
process.env['TMPDIR'] = temporary;
after(() => rmSync(temporary, { recursive: true, force: true }));

/** Descriptors of a process by what they are, numbers of sockets and pipes left out. */
function descriptors(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const kinds = readdirSync(folder).map((fd) => readlinkSync(`${folder}/${fd}`).replace(/:\[\d+\]$/, ''));
  return kinds.sort();
}

test('fifty sessions, one adapter each, leave no process and no folder', { skip: noKvm }, async () => {
  for (let session = 0; session < 50; session++) {
    const adapter = coreAdapter();
    let core = 0;
    await withAdapter(
      () => adapter,
      async (client) => {
        await launch(client, { stopOnEntry: true });
        await runToStop(client);
        core = (await client.event<RingsideEvents['ringside/started']>('ringside/started')).info.pid;
        assert.ok(
          readdirSync(`/proc/${core}/fd`).some((fd) => readlinkSync(`/proc/${core}/fd/${fd}`).includes('memfd:')),
        );
        if (session % 2 === 0) await client.request('disconnect', { terminateDebuggee: true });
      },
    );
    assert.equal(existsSync(`/proc/${core}`), false, `core ${core} of session ${session} is still there`);
    assert.equal(adapter.process.exitCode, 0);
  }
  assert.deepEqual(readdirSync(temporary), []);
});

test('fifty restarts in one adapter leave it with the descriptors of the first', { skip: noKvm }, () =>
  withAdapter(coreAdapter, async (client, adapter) => {
    assert.ok(adapter.process.pid);
    await launch(client, { stopOnEntry: true });
    await runToStop(client);
    const first = descriptors(adapter.process.pid);
    for (let turn = 0; turn < 50; turn++) {
      await client.request('restart');
      await client.stopped();
    }
    await move(client, 'next', { granularity: 'instruction' });
    assert.deepEqual(descriptors(adapter.process.pid), first);
  }),
);
