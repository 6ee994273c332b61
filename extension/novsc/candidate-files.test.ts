import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { candidateFiles } from './candidate-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-candidates-'));
after(() => rmSync(folder, { recursive: true }));

const found = async (below: string) => {
  const files: string[] = [];
  for await (const file of candidateFiles(below)) files.push(file.slice(below.length + 1));
  return files;
};

test('what may be a kernel, the nearest first', async () => {
  for (const name of ['build/deep', 'build/.git', 'node_modules/x']) mkdirSync(join(folder, name), { recursive: true });
  const files = ['vmlinux', 'main.c', 'build/kernel.elf', 'build/main.o', 'build/deep/bzImage', 'build/.git/HEAD'];
  for (const name of [...files, 'node_modules/x/tool']) writeFileSync(join(folder, name), '');
  symlinkSync(folder, join(folder, 'build/again'));
  symlinkSync(join(folder, 'vmlinux'), join(folder, 'build/link'));
  assert.deepEqual(await found(folder), ['vmlinux', 'build/kernel.elf', 'build/deep/bzImage']);
});

test('what cannot be read is left out', async () => {
  assert.deepEqual(await found(join(folder, 'nowhere')), []);
  const closed = join(folder, 'build/deep');
  chmodSync(closed, 0);
  const files = await found(folder);
  chmodSync(closed, 0o700);
  assert.ok(files.includes('build/kernel.elf'));
});
