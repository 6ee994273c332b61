import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { CHARACTER_DEVICE, cpio, FOLDER, PLAIN, PROGRAM } from './cpio.ts';

const noCpio = spawnSync('cpio', ['--version']).status === 0 ? false : 'cpio is not installed';

test('cpio reads what was written', { skip: noCpio }, () => {
  const data = Buffer.from('12345');
  const archive = cpio([
    { path: 'dev', mode: FOLDER },
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: { major: 5, minor: 1 } },
    { path: 'init', mode: PROGRAM, data },
    { path: 'a name of odd length', mode: PLAIN, data: Buffer.alloc(4097) },
  ]);
  const { stdout, stderr } = spawnSync('cpio', ['-itv', '--numeric-uid-gid'], { input: archive, encoding: 'utf8' });
  const listed = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/ +/))
    .map(([mode, links, user, group, ...rest]) => [mode, links, user, group, rest[0], rest.at(-1)].join(' '));
  assert.deepEqual(
    listed,
    [
      'drwxr-xr-x 1 0 0 0 dev',
      'crw------- 1 0 0 5, dev/console',
      '-rwxr-xr-x 1 0 0 5 init',
      '-rw-r--r-- 1 0 0 4097 length',
    ],
    stderr,
  );
  const first = spawnSync('cpio', ['-i', '--to-stdout', '--quiet', 'init'], { input: archive });
  assert.deepEqual(first.stdout, data);
});
