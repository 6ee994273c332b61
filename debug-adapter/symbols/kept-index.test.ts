import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { openDebugInfo } from './debug-info.ts';
import { damaged } from './fixtures/damage.ts';
import { build, run, scratch } from './fixtures/toolchain.ts';
import { buildColumns } from './index/build.ts';
import { cacheFile, readCached, writeCached } from './index/cache.ts';
import { nameKinds } from './index/name-kinds.ts';
import { NameTable } from './index/name-table.ts';

const withId = (byte: string) =>
  build({ compiler: 'gcc', optimisation: 1, dwarf: 5, flags: [`-Wl,--build-id=0x${byte.repeat(20)}`] });
const program = withId('c5');
const info = openDebugInfo(program);
const columns = buildColumns(info);

/** The index of `program`, kept in a folder of this name, which is not there before. */
function kept(name: string): string {
  const file = cacheFile(scratch(name), info);
  writeCached(file, info, columns);
  return file;
}

describe('an index that is kept on disk', () => {
  test('is named by the build id that readelf shows, and is the same when it is read again', async () => {
    const file = kept('again');
    const [, id] = /Build ID: (\w+)/.exec(run('readelf', ['-n', program])) ?? [];
    assert.equal(basename(file), `${id}.index`);
    assert.deepEqual(await readCached(file, info), columns);
    assert.deepEqual(readdirSync(scratch('again')), [basename(file)]);
  });

  test('is not taken for that of another image, nor of one stripped of its symbols, which has the same build id', async () => {
    const other = openDebugInfo(withId('c6'));
    assert.notEqual(cacheFile(scratch('other'), other), cacheFile(scratch('other'), info));
    const stripped = scratch('stripped');
    run('strip', ['--strip-debug', '-o', stripped, program]);
    const less = openDebugInfo(stripped);
    assert.equal(cacheFile(scratch('other'), less), cacheFile(scratch('other'), info));
    for (const each of [other, less]) assert.equal(await readCached(kept('other'), each), undefined);
    assert.equal(await readCached(join(scratch('other'), 'none.index'), info), undefined);
  });

  test('is none, or one that can be asked, when its file is damaged', async () => {
    const file = kept('damaged');
    const whole = readFileSync(file);
    const header = { offset: 0, size: 40 };
    const words = { offset: Math.floor(whole.length / 2), size: Math.floor(whole.length / 2) };
    let refused = 0;
    for (let seed = 0; seed < 500; seed++) {
      writeFileSync(file, damaged(whole, [header, words], seed));
      const read = await readCached(file, info);
      if (!read) refused++;
      else for (const kinds of Object.values(nameKinds)) assert.ok([...new NameTable(read.names).find('run', kinds)]);
    }
    assert.ok(refused > 100, `${refused}`);
  });

  test('gives way to those used later when there are many', () => {
    const file = kept('many');
    const old = join(scratch('many'), 'old.index');
    copyFileSync(file, old);
    utimesSync(old, 1, 1);
    for (let number = 0; number < 23; number++) copyFileSync(file, join(scratch('many'), `${number}.index`));
    writeCached(file, info, columns);
    assert.equal(existsSync(old), false);
    assert.equal(readdirSync(scratch('many')).length, 24);
  });

  test('is not kept where nothing can be written', () => {
    const taken = scratch('taken');
    writeFileSync(taken, '');
    writeCached(join(taken, 'some.index'), info, columns);
    assert.equal(readFileSync(taken, 'utf8'), '');
  });
});
