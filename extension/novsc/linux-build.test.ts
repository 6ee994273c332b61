import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { linuxAttributes, linuxBuildIn, linuxBuildOf } from './linux-build.ts';

let folder: string;
const at = (name: string) => join(folder, name);

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-tree-'));
  mkdirSync(at('arch/x86/boot'), { recursive: true });
});

after(() => rmSync(folder, { recursive: true }));

test('a tree that was not built has nothing to boot', async () => {
  for (const file of ['Kbuild', 'Makefile', '.config']) writeFileSync(at(file), '');
  assert.equal(await linuxBuildIn(folder), undefined);
});

test('vmlinux is booted where there is nothing else', async () => {
  writeFileSync(at('vmlinux'), '');
  assert.deepEqual(await linuxBuildIn(folder), { image: at('vmlinux'), vmlinux: at('vmlinux') });
});

test('bzImage with the symbols of vmlinux, a serial console and a shell', async () => {
  writeFileSync(at('arch/x86/boot/bzImage'), '');
  const build = await linuxBuildOf(at('vmlinux'));
  assert.deepEqual(build && linuxAttributes(build, (path) => path.replace(folder, 'WS')), {
    program: 'WS/arch/x86/boot/bzImage',
    symbols: 'WS/vmlinux',
    args: 'console=ttyS0 nokaslr',
    initrd: 'busybox',
    memory: '512M',
  });
  assert.equal(await linuxBuildOf(at('arch/x86/boot/setup.elf')), undefined);
});

test('another kernel that is called vmlinux is no tree', async () => {
  rmSync(at('arch'), { recursive: true });
  rmSync(at('.config'));
  assert.equal(await linuxBuildOf(at('vmlinux')), undefined);
});
