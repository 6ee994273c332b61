import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { SourcePaths } from './source-paths.ts';

const root = mkdtempSync(join(tmpdir(), 'ringside-test-'));
after(() => rmSync(root, { recursive: true, force: true }));

function touch(...parts: readonly string[]): string {
  const path = join(root, ...parts);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  return path;
}

const program = touch('out', 'kernel.elf');
const main = touch('src', 'main.c');
const driver = touch('src', 'driver.c');

const pathsOf = (
  sourceMap: Record<string, string>,
  recorded: () => readonly string[],
  sourceFolders: readonly string[] = [],
) => new SourcePaths({ program, sourceMap, sourceFolders }, recorded);

test('relative paths are found in the folders that are given, before those above the program', () => {
  const elsewhere = touch('workspace', 'drivers', 'tty.c');
  const mine = touch('workspace', 'src', 'main.c');
  const paths = pathsOf({}, () => ['drivers/tty.c', 'src/main.c'], [join(root, 'workspace')]);
  assert.equal(paths.here('drivers/tty.c'), elsewhere);
  assert.equal(paths.here('src/main.c'), mine);
  assert.deepEqual(paths.recordedFor(elsewhere), ['drivers/tty.c']);
});

test('relative paths are found above the program', () => {
  const paths = pathsOf({}, () => ['src/main.c']);
  assert.equal(paths.here('src/main.c'), main);
  assert.deepEqual(paths.recordedFor(main), ['src/main.c']);
});

test('the longest prefix of the source map wins', () => {
  const map = { '/build': join(root, 'elsewhere'), '/build/kernel': join(root, 'src') };
  const paths = pathsOf(map, () => ['/build/kernel/driver.c', '/buildkernel/driver.c']);
  assert.equal(paths.here('/build/kernel/driver.c'), driver);
});

test('absolute paths of another machine are found by their last components', () => {
  const paths = pathsOf({}, () => ['/home/builder/kernel/src/main.c']);
  assert.equal(paths.here('/home/builder/kernel/src/main.c'), main);
});

test('a file reached through a link is the same file', () => {
  symlinkSync(join(root, 'src'), join(root, 'link'));
  const paths = pathsOf({}, () => ['src/main.c']);
  assert.deepEqual(paths.recordedFor(join(root, 'link', 'main.c')), ['src/main.c']);
});

test('another file of the same name is not taken for it', () => {
  const other = touch('tests', 'main.c');
  const paths = pathsOf({}, () => ['src/main.c']);
  assert.deepEqual(paths.recordedFor(other), []);
});

test('a file that has moved is known by its name when there is one only', () => {
  const moved = touch('new', 'timer.c');
  const paths = pathsOf({}, () => ['/gone/old/timer.c']);
  assert.deepEqual(paths.recordedFor(moved), ['/gone/old/timer.c']);
  assert.equal(paths.here('/gone/old/timer.c'), moved);
});

test('a path that is nowhere stays so, whatever it holds', () => {
  const paths = pathsOf({}, () => []);
  for (const path of ['/nowhere/at/all.c', '', '..', '../../..', 'a\0b.c', '/'.repeat(5000)]) {
    assert.doesNotThrow(() => paths.here(path));
  }
  assert.equal(paths.here('/nowhere/at/all.c'), undefined);
});
