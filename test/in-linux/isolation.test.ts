/** The kernel is there also where a guest with page-table isolation stops in user code, whose tables map next to nothing of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, pauseInUserCode, runningTask } from '../adapter/driving.ts';
import { launchLinux, saidOnConsole, type } from './guest.ts';

const TIMEOUT = '/proc/sys/kernel/hung_task_timeout_secs';

test('a kernel that hides from user code is read, changed and stopped in from there', {
  timeout: 200_000,
}, async () => {
  const adapter = coreAdapter({ longest: 150_000 });
  const { client } = adapter;
  try {
    await launchLinux(client, { args: 'console=ttyS0 pti=on' });
    await client.request('configurationDone');
    await saidOnConsole(client);
    await type(client, `while :; do :; done & echo "spins: $!, seconds: $(cat ${TIMEOUT})"`);
    const said = /spins: (\d+), seconds: (\d+)\r?\n/;
    const [, spins, seconds] = said.exec(await saidOnConsole(client, said)) ?? [];
    await pauseInUserCode(client);

    const { pageTables } = await client.request('ringside/snapshot', { threadId: 1, parts: ['pageTables'] });
    assert.ok(pageTables && 'kernelCr3' in pageTables && pageTables.kernelCr3, JSON.stringify(pageTables));
    const cr3 = pageTables.kernelCr3;
    const place = { threadId: 1, address: '&init_task.comm' };
    const { result: own } = await client.request('ringside/walk', place);
    assert.ok(own.kind === 'fault', 'the tables that are in use do not map it');
    assert.match(own.reason, new RegExp(`those of the kernel, at CR3 ${cr3}, map it\\.$`));
    const { result: kernels } = await client.request('ringside/walk', { ...place, cr3 });
    assert.ok(kernels.kind === 'mapped', JSON.stringify(kernels));
    const there = await client.request('readMemory', { memoryReference: `physical:${kernels.physical}`, count: 9 });
    assert.equal(Buffer.from(there?.data ?? '', 'base64').toString(), 'swapper/0');
    assert.equal(await evaluate(client, 'init_task.comm'), '"swapper/0"');
    assert.equal(await evaluate(client, 'sysctl_hung_task_timeout_secs'), seconds);
    assert.equal(await evaluate(client, '$pid'), spins);
    assert.equal(String((await runningTask(client)).pid), spins);

    await client.request('setExpression', { expression: 'sysctl_hung_task_timeout_secs', value: '117' });
    const set = await client.request('setFunctionBreakpoints', { breakpoints: [{ name: '__x64_sys_kill' }] });
    assert.equal(set.breakpoints[0]?.verified, true);
    await client.request('continue', { threadId: 1 });
    await type(client, `echo "now: $(cat ${TIMEOUT})"; kill $!`);
    await saidOnConsole(client, /now: 117\r?\n/);
    assert.equal((await client.stopped()).hitBreakpointIds?.length, 1);
  } finally {
    await adapter.close();
  }
});
