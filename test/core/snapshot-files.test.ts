/** Snapshots in files: what `ringside snapshot` and `ringside run --restore` make of them. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { RspClient } from '../clients/rsp-client.ts';
import { type RunningCore, withCore } from '../clients/running-core.ts';

const program = join(__dirname, '../core.js');
const folder = mkdtempSync(join(tmpdir(), 'ringside-snapshots-'));
const file = join(folder, 'entered');
after(() => rmSync(folder, { recursive: true }));

function snapshot({ inspectPath }: RunningCore, ...words: readonly string[]): string {
  const args = [program, 'snapshot', `unix:${inspectPath}`, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return status === 0 ? stdout : stderr;
}

/** General registers and some of the kernel's memory, as the stub gives them, after so many steps. */
async function state({ gdb }: RunningCore, steps = 0): Promise<string[]> {
  const client = await RspClient.open(gdb);
  for (let turn = 0; turn < steps; turn++) assert.match(await client.ask('vCont;s:1'), /^T05/);
  const read = [await client.ask('g'), await client.ask('m100000,1000')];
  // Without a word: a debugger that detaches lets the guest run on.
  client.socket.destroy();
  return read;
}

describe('snapshot files', () => {
  let saved: readonly string[];

  test('are written by the command line', () =>
    withCore(async (core) => {
      saved = await state(core, 5);
      assert.match(snapshot(core, 'take', 'entered'), /^entered {2}\d+\.\d MiB/);
      assert.equal(snapshot(core, 'save', 'entered', file), '');
      assert.equal(statSync(file).mode & 0o077, 0);
      assert.match(snapshot(core, 'list'), /^entered .*\n$/);
      assert.equal(snapshot(core, 'remove', 'entered'), '');
      assert.match(snapshot(core, 'restore', 'entered'), /no snapshot "entered"/);
      assert.match(snapshot(core, 'load', file), /^entered/);
      assert.equal(snapshot(core, 'restore', 'entered'), '');
      assert.deepEqual(await state(core), saved);
    }));

  test('are gone on from by another core', () =>
    withCore(async (core) => assert.deepEqual(await state(core), saved), ['--restore', file]));

  test('the guest in them runs to its end', async () => {
    const child = spawn(process.execPath, [program, 'run', '--restore', file]);
    let console = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      if (!console.includes('ready: ') && (console + text).includes('ready: ')) child.stdin.write('q');
      console += text;
    });
    await once(child, 'close');
    assert.match(console, /Ringside sample guest/);
    assert.equal(child.exitCode, (42 << 1) | 1);
  });

  test('that are damaged are refused in one line', () => {
    const whole = readFileSync(file);
    const damaged = join(folder, 'damaged');
    const head = whole.subarray(0, 24 + whole.readUInt32LE(20));
    const edited = (text: string, by: string) => {
      const json = Buffer.from(head.subarray(24).toString().replace(text, by));
      return Buffer.concat([head.subarray(0, 20), Buffer.from(Uint32Array.of(json.length).buffer), json]);
    };
    const files: readonly (readonly [words: RegExp, bytes: Uint8Array])[] = [
      [/no snapshot of this version/, Buffer.from('something else, and long enough')],
      [/ends too early/, whole.subarray(0, 10)],
      [/ends too early/, whole.subarray(0, whole.length - 100)],
      [/head is too long/, Buffer.concat([head.subarray(0, 20), Buffer.alloc(4, 0xff)])],
      [/head is damaged/, edited('{', '[')],
      [/head is damaged/, edited('"cpus":1', '"cpus":"one"')],
      [/from 1 to 64, not 65/, edited('"cpus":1', '"cpus":65')],
      [/head is damaged/, edited('"framebuffer":"none"', '"framebuffer":"9x9"')],
      [/another version of the devices/, edited('"mpState":', '"state":')],
      [/another machine: its KVM module/, edited('"kvm":"', '"kvm":"not_')],
      [/no name for a snapshot/, edited('"name":"entered"', '"name":"../up"')],
      [/is not expected/, Buffer.concat([head, Buffer.from(Uint32Array.of(0xffffff, 1).buffer), Buffer.alloc(4096)])],
    ];
    for (const [words, bytes] of files) {
      writeFileSync(damaged, bytes);
      const { status, stderr } = spawnSync(process.execPath, [program, 'run', '--restore', damaged], {
        encoding: 'utf8',
        input: '',
      });
      assert.match(stderr, words);
      assert.match(stderr, /^ringside: [^\n]*\n$/);
      assert.notEqual(status, 0);
    }
  });
});
