/** A folder in which Linux was built, debugged with nothing but what F5 finds in it. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { linuxAttributes, linuxBuildIn } from '../../extension/novsc/linux-build.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { topFrame } from '../adapter/driving.ts';
import { files, launchLinux, saidOnConsole, type } from './guest.ts';

test('a Linux build boots to a shell, loads its module, and stops at a breakpoint', { timeout: 200_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-tree-'));
  const put = (source: string, name: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    symlinkSync(source, join(folder, name));
  };
  const adapter = coreAdapter({ longest: 120_000 });
  try {
    put(files.vmlinux, 'vmlinux');
    put(files.kernel, 'arch/x86/boot/bzImage');
    put(files.module, 'virt/lib/irqbypass.ko');
    writeFileSync(join(folder, 'modules.order'), 'kernel/virt/lib/irqbypass.ko\n');
    const build = await linuxBuildIn(folder);
    assert.ok(build);
    const { client } = adapter;
    await launchLinux(client, { ...linuxAttributes(build, (path) => path), memory: '160M' });
    await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'do_init_module' }] });
    await client.request('configurationDone');
    await saidOnConsole(client, 'exit ends the guest.');
    await type(client, 'insmod /modules/irqbypass.ko');
    await client.stopped();
    assert.equal((await topFrame(client)).name, 'do_init_module');
    const { result } = await client.request('evaluate', { expression: 'mod->name', context: 'watch' });
    assert.match(result, /"irqbypass"/);
    await client.request('continue', { threadId: 1 });
    await type(client, 'exit');
    await client.event('exited');
  } finally {
    await adapter.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
