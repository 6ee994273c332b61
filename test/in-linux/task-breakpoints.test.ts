/** Breakpoints that stop in one process alone, and what `$task` and `$pid` say there, beside the Tasks view. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type CoreAdapter, coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, runningTask } from '../adapter/driving.ts';
import { launchLinux, saidOnConsole, type } from './guest.ts';

const KILL = '__x64_sys_kill';

describe('breakpoints of one process', { timeout: 200_000 }, () => {
  let adapter: CoreAdapter;

  before(async () => {
    adapter = coreAdapter({ longest: 150_000 });
    // Where KASLR puts it.
    await launchLinux(adapter.client, { args: 'console=ttyS0' });
    await adapter.client.request('configurationDone');
    await saidOnConsole(adapter.client);
  });

  after(() => adapter.close());

  /** Types the command, and gives the task that it stops in, after `there` was done there. */
  async function stopsIn(command: string, condition: string, there: () => Promise<void> = async () => {}) {
    const { client } = adapter;
    await client.request('setFunctionBreakpoints', { breakpoints: [{ name: KILL, condition }] });
    await type(client, command);
    assert.equal((await client.stopped()).hitBreakpointIds?.length, 1);
    const task = await runningTask(client);
    assert.equal(await evaluate(client, '$pid'), String(task.pid));
    assert.equal(await evaluate(client, '$tgid'), String(task.tgid));
    // Older kernels leave what was behind its NUL.
    const [, name] = /^"(.*?)(?:\\000|"$)/.exec(await evaluate(client, '$task')) ?? [];
    assert.equal(name, task.comm);
    await there();
    await client.request('continue', { threadId: 1 });
    return task;
  }

  test('symbols are where the kernel’s own kallsyms has them', async () => {
    const { client } = adapter;
    // They are listed by address, which takes long: these come early.
    await type(client, "grep -m 2 -E ' (_stext|do_one_initcall)$' /proc/kallsyms");
    const said = await saidOnConsole(client, / do_one_initcall\r?\n/);
    const listed = [...said.matchAll(/^([0-9a-f]{16}) T (\w+)/gm)];
    assert.equal(listed.length, 2, said);
    await client.request('pause', { threadId: 1 });
    await client.stopped();
    for (const [, address, name] of listed)
      assert.equal(await evaluate(client, `(unsigned long)&${name},x`), `0x${address}`);
    await client.request('continue', { threadId: 1 });
  });

  let shell = 0;

  test('by name: the shell calls the function, too', async () => {
    ({ pid: shell } = await stopsIn('kill -0 1', '$task == "sh"'));
    assert.equal((await stopsIn('kill -0 1; busybox kill -0 1', '$task == "busybox"')).comm, 'busybox');
    assert.equal((await stopsIn('kill -0 1; busybox kill -0 1', '$task != "sh"')).comm, 'busybox');
  });

  test('by number', async () => {
    assert.equal((await stopsIn('busybox kill -0 1; kill -0 1', `$pid == ${shell}`)).pid, shell);
  });

  test('the memory of a process is what its own /proc/PID/maps says', async () => {
    const { client } = adapter;
    await type(client, 'while read -r line; do echo "area $line"; done </proc/$$/maps; echo "areas end"; busybox true');
    const said = await saidOnConsole(client, /^areas end\r?$/m);
    const areas = [...said.matchAll(/^area 0*([0-9a-f]+)-0*([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(\/?)(.*?)\r?$/gm)];
    assert.ok(areas.length >= 4 && areas.some(([, , , , slash]) => slash), said);
    await stopsIn('kill -0 1', `$pid == ${shell}`, async () => {
      for (const [, start, end, rights, slash, name] of areas) {
        const text = `0x${start}-0x${end} ${rights}${slash && ` /${name}`}`;
        for (const address of [`0x${start}`, `0x${end} - 1`]) {
          const { lines } = await client.request('ringside/whatIs', { threadId: 1, address });
          assert.deepEqual(lines, [`memory of sh (${shell}): ${text}`]);
        }
      }
      assert.deepEqual((await client.request('ringside/whatIs', { threadId: 1, address: '16' })).lines, []);
    });
  });
});
