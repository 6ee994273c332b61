/** A folder in which Linux was built, debugged with nothing but what F5 finds in it: kernel, symbols, modules. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { linuxAttributes, linuxBuildIn } from '../../extension/novsc/linux-build.ts';
import { type CoreAdapter, coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, stack } from '../adapter/driving.ts';
import { files, launchLinux, saidOnConsole, type } from './guest.ts';

type Verdict = Pick<DebugProtocol.Breakpoint, 'id' | 'verified' | 'message'>;

describe('a Linux build', { timeout: 200_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-tree-'));
  const module = files.modules.at(-1) ?? '';
  const underIt = files.modules.slice(0, -1).map((path) => basename(path));
  let adapter: CoreAdapter;

  const put = (source: string, name: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    symlinkSync(source, join(folder, name));
  };

  before(async () => {
    put(files.vmlinux, 'vmlinux');
    put(files.kernel, 'arch/x86/boot/bzImage');
    for (const path of files.modules) put(path, `drivers/${basename(path)}`);
    writeFileSync(
      join(folder, 'modules.order'),
      files.modules.map((path) => `kernel/drivers/${basename(path)}\n`).join(''),
    );
    adapter = coreAdapter({ longest: 150_000 });
    const build = await linuxBuildIn(folder);
    assert.ok(build);
    await launchLinux(adapter.client, { ...linuxAttributes(build, (path) => path), memory: '160M' });
  });

  after(async () => {
    await adapter.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const go = () => adapter.client.request('continue', { threadId: 1 });
  const verdict = (wanted: (breakpoint: Verdict) => boolean) =>
    adapter.client.event<{ breakpoint: Verdict }>('breakpoint', ({ breakpoint }) => wanted(breakpoint));

  /** What binutils say of a symbol of the module: its section and its offset in that. */
  function place(name: string): { section: string; offset: bigint } {
    const text = execFileSync('readelf', ['-SsW', module], { encoding: 'utf8' });
    const [, offset = '0', number = ''] = new RegExp(`^ *\\d+: ([0-9a-f]+) .* (\\d+) ${name}$`, 'm').exec(text) ?? [];
    const [, section = ''] = new RegExp(`^ +\\[ *${number}\\] (\\S+)`, 'm').exec(text) ?? [];
    return { section, offset: BigInt(`0x${offset}`) };
  }

  /** The name in the module's source of a function that every module has under another name, by binutils. */
  function sourceName(alias: string): string {
    const text = execFileSync('nm', [module], { encoding: 'utf8' });
    const [, address] = new RegExp(`^([0-9a-f]+) T ${alias}$`, 'm').exec(text) ?? [];
    const same = [...text.matchAll(new RegExp(`^${address} t (\\w+)$`, 'gm'))].map(([, name = '']) => name);
    return same.find((name) => place(name).section === place(alias).section) ?? '';
  }
  const functions = { start: sourceName('init_module'), end: sourceName('cleanup_module') };

  /** Older modules have names for theirs that the kernel has, too. */
  function isInKernel(name: string): boolean {
    const text = execFileSync('nm', [files.vmlinux], { encoding: 'utf8', maxBuffer: 1 << 26 });
    return new RegExp(` t ${name}$`, 'm').test(text);
  }

  test('boots to a shell with its modules', async () => {
    const { client } = adapter;
    await client.request('configurationDone');
    await saidOnConsole(client, '/ # ');
    await type(client, `for name in ${underIt.join(' ')}; do insmod /modules/$name; done`);
  });

  test('a breakpoint in a module waits for it', async () => {
    const { client } = adapter;
    const names = [functions.start, functions.end];
    const { breakpoints } = await client.request('setFunctionBreakpoints', {
      breakpoints: names.map((name) => ({ name })),
    });
    assert.deepEqual(
      breakpoints.map(({ verified }) => verified),
      names.map(isInKernel),
    );
    await type(client, 'insmod /modules/virtio_blk.ko');
    for (const { id } of breakpoints.filter(({ verified }) => !verified))
      await verdict((each) => each.id === id && each.verified);
    const { hitBreakpointIds } = await client.stopped();
    assert.deepEqual(hitBreakpointIds, [breakpoints[0]?.id]);
    const frames = await stack(client);
    assert.deepEqual(
      frames.slice(0, 3).map(({ name }) => name),
      [functions.start, 'do_one_initcall', 'do_init_module'],
    );
    assert.match(frames[0]?.source?.name ?? '', /^virtio_blk\.c$/);
    assert.match(await evaluate(client, 'virtio_blk.driver.name'), /"virtio_blk"$/);
    await go();
  });

  test('its symbols are where the kernel says that its sections are', async () => {
    const { client } = adapter;
    for (const name of ['virtblk_probe', 'virtio_blk', 'virtblk_wq']) {
      const { section, offset } = place(name);
      await type(client, `echo at $(cat /sys/module/virtio_blk/sections/${section})`);
      const said = /at (0x[0-9a-f]{16})/;
      const [, address = ''] = said.exec(await saidOnConsole(client, said)) ?? [];
      await client.request('pause', { threadId: 1 });
      await client.stopped();
      const ours = BigInt.asUintN(64, BigInt(await evaluate(client, `(unsigned long)&${name}`)));
      assert.equal(ours, BigInt(address) + offset, name);
      await go();
    }
  });

  test('its symbols go with it', async () => {
    const { client } = adapter;
    await type(client, 'rmmod virtio_blk');
    await client.stopped();
    assert.equal((await stack(client))[0]?.name, functions.end);
    const { modules } = await client.request('modules', {});
    assert.match(modules.find(({ name }) => name === 'virtio_blk')?.symbolFilePath ?? '', /virtio_blk\.ko$/);
    await go();
    await verdict(({ verified }) => !verified);
    await type(client, 'exit');
    await client.event('exited');
  });
});
