/** Debian's Linux on Ringside's own core, debugged through the adapter with the symbols of its vmlinux. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, move, pauseInUserCode, printed, runningTask, stack, withAdapter } from '../adapter/driving.ts';
import { patience } from '../patience.ts';
import { COMMAND_LINE, debian, HIDDEN } from './linux-guest.ts';

const LONGEST = 150_000;
/** What VS Code asks for when nobody has changed anything. */
const DEFAULT_FILTERS = ['triple-fault', 'linux-panic', 'linux-oops'];

async function launch(client: DapClient, args: string): Promise<void> {
  await client.request('launch', {
    backend: 'kvm',
    program: debian.kernel,
    symbols: process.env['RINGSIDE_LINUX_SYMBOLS'],
    initrd: debian.initramfs,
    args,
    memory: '512M',
    cpu: { hide: HIDDEN },
    console: 'internalConsole',
  });
  await client.event('initialized');
  await client.request('setExceptionBreakpoints', { filters: DEFAULT_FILTERS });
}

describe('Debian’s Linux under the debugger', { timeout: patience(2 * LONGEST) }, () => {
  test('stops where one process loads a module', () =>
    withAdapter(
      () => coreAdapter({ longest: LONGEST }),
      async (client) => {
        await launch(client, COMMAND_LINE);
        const condition = '$task == "insmod" && $pid > 1';
        const { breakpoints } = await client.request('setFunctionBreakpoints', {
          breakpoints: [{ name: 'do_init_module', condition }],
        });
        assert.doesNotMatch(breakpoints[0]?.message ?? '', /evaluated by the debug adapter/);
        await client.request('configurationDone');
        await client.stopped();
        assert.equal((await stack(client))[0]?.name, 'do_init_module');
        assert.ok((await evaluate(client, '$task')).startsWith('"insmod"'));
      },
    ));

  test('stops at a panic with its message', () =>
    withAdapter(
      () => coreAdapter({ longest: LONGEST }),
      async (client) => {
        // Without arguments it says how it is used, and ends.
        await launch(client, `${COMMAND_LINE} rdinit=/bin/busybox`);
        await client.request('configurationDone');
        const { text } = await client.stopped();
        assert.match(text ?? '', /^Kernel panic - not syncing: Attempted to kill init! exitcode=0x[0-9a-f]{8}$/);
        const names = (await stack(client)).map(({ name }) => name);
        assert.equal(names[0], 'panic');
        assert.ok(names.includes('do_exit'), names.join());
      },
    ));

  test('is read and stopped in while it hides from the user code that runs, wherever it is', () =>
    withAdapter(
      () => coreAdapter({ longest: LONGEST }),
      async (client) => {
        await launch(client, `${COMMAND_LINE.replace('nokaslr', '')} pti=on guest=busy`);
        await client.request('configurationDone');
        await printed(client, 'guest: is busy');
        await pauseInUserCode(client);
        const own = await client.request('ringside/walk', { threadId: 1, address: '&init_task' });
        assert.equal(own.result.kind, 'fault', 'the tables that are in use do not map it');
        assert.equal(await evaluate(client, 'init_task.comm'), '"swapper/0"');
        assert.equal(await evaluate(client, '$pid'), String((await runningTask(client)).pid));
        // Its list of /proc is what keeps it busy.
        await client.request('setFunctionBreakpoints', {
          breakpoints: [{ name: '__x64_sys_getdents64', condition: '$task == "ls"' }],
        });
        await move(client, 'continue');
        assert.equal((await stack(client))[0]?.name, '__x64_sys_getdents64');
      },
    ));
});
