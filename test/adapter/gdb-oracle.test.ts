/**
 * The same stop seen by gdb and by the adapter, and the same steps: address, registers, backtrace, locals and lines must agree. In
 * the sample guest as it ships, and as other compilers and optimisers make it.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { RunningCore } from '../clients/running-core.ts';
import { sampleSources } from '../guests/markers.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { clearAt, move, scopeOf, stack, stopAt, topFrame, variablesOf, withAdapter } from './driving.ts';
import { gdbFrames, gdbOutput } from './gdb-beside.ts';
import { SAMPLE } from './sample.ts';

const noGdb = spawnSync('gdb', ['--version']).status === 0 ? false : 'gdb is not installed';
const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r12', 'r15', 'rip'];
const PLACES = ['showcase-visit', 'showcase-loop', 'apply', 'tree-leaf', 'record-event', 'list-insert'];
const STEPS = 25;
/** An image that lies elsewhere. */
const sourceMap = { 'test/guests/sample': sampleSources };

/** Frames that gdb adds for functions that are on no stack, having ended by a jump to the one at the place. */
const TAIL_CALLS = new Map<string, Readonly<Record<string, string>>>([
  ['gcc -O2', { 'record-event': 'showcase_visit showcase.c:166' }],
]);

const compilers = ['gcc', 'clang'] as const;
const optimisations = ['-O0', '-O1', '-O2'] as const;

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-builds-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Builds the sample guest with other tools; gives the image. */
function build(compiler: string, optimisation: string): string {
  const sources = mkdtempSync(join(folder, 'sources-'));
  cpSync(sampleSources, sources, { recursive: true, filter: (path) => !path.endsWith('/build') });
  execFileSync('make', ['-s', '-C', sources, `CC=${compiler}`, `OPTIMISE=${optimisation}`], { stdio: 'pipe' });
  return join(sources, 'build', 'ringside-sample.elf');
}

async function adaptersView(client: DapClient) {
  const frames = await stack(client);
  const { id } = await topFrame(client);
  const registers = await variablesOf(client, await scopeOf(client, id, 'Registers'));
  const scopes = (await client.request('scopes', { frameId: id })).scopes.filter(({ name }) => name !== 'Registers');
  const locals = [];
  for (const { variablesReference } of scopes) locals.push(...(await variablesOf(client, variablesReference)));
  return { frames, registers, locals };
}

/** Of a function that an assembler does not describe. */
const withoutOffset = (name: string) => name.replace(/\+0x[0-9a-f]+$/, '');

async function agreeAt(program: string, place: string, tailCaller = ''): Promise<void> {
  const socket = join(mkdtempSync(join(folder, 'stop-')), 'gdb.sock');
  await withAdapter(coreAdapter, async (client) => {
    await stopAt(client, place, { program, sourceMap, gdb: `unix:${socket}` });
    const { frames, registers, locals } = await adaptersView(client);
    const scalars = locals.filter(
      ({ value, variablesReference }) => variablesReference === 0 && /^(-?\d+|<optimized out>)$/.test(value),
    );
    const text = await gdbOutput(program, socket, [
      ...REGISTERS.map((name) => `printf "${name} %lx\\n", $${name}`),
      ...scalars.map(({ name }) => `output ${name}\necho \\ is ${name}\\n`).flatMap((both) => both.split('\n')),
      'bt',
    ]);
    for (const name of REGISTERS) {
      const ours = registers.find((register) => register.name === name)?.value.split(' ')[0];
      assert.equal(ours, `0x${new RegExp(`^${name} ([0-9a-f]+)$`, 'm').exec(text)?.[1]}`, name);
    }
    for (const { name, value } of scalars)
      assert.equal(value, new RegExp(`^(-?\\d+|<optimized out>) is ${name}$`, 'm').exec(text)?.[1], name);
    assert.deepEqual(
      frames.map(({ name, source, line }) => `${withoutOffset(name)} ${source?.name}:${line}`),
      gdbFrames(text).filter((frame) => frame !== tailCaller),
    );
  });
}

/** Where a number of steps over lines lead from a place, by gdb on a core of its own. */
async function stepsByGdb(program: string, address: string, command: string): Promise<string[]> {
  const core = await RunningCore.start([program, '--memory', '64M']);
  try {
    const here = 'python f = gdb.selected_frame(); s = f.find_sal(); print("AT", f.name(), s.line)';
    const text = await gdbOutput(program, core.gdb, [
      ...[`break *${address}`, 'continue', 'delete'],
      ...Array.from({ length: STEPS }, () => [command, here]).flat(),
    ]);
    return [...text.matchAll(/^AT (\w+) (\d+)$/gm)].map(([, name, line]) => `${name} ${line}`);
  } finally {
    await core.end();
  }
}

async function stepAlike(program: string, place: string, step: 'next' | 'stepIn', command: string): Promise<void> {
  const ours: string[] = [];
  let address = '';
  await withAdapter(coreAdapter, async (client) => {
    await stopAt(client, place, { program, sourceMap });
    await clearAt(client, place);
    address = (await topFrame(client)).instructionPointerReference ?? '';
    for (let turn = 0; turn < STEPS; turn++) {
      await move(client, step);
      const { name, line } = await topFrame(client);
      ours.push(`${name} ${line}`);
    }
  });
  assert.deepEqual(ours, await stepsByGdb(program, address, command));
}

const images = new Map<string, () => string>([['as it ships', () => SAMPLE]]);
for (const compiler of compilers)
  for (const optimisation of optimisations)
    images.set(`${compiler} ${optimisation}`, () => build(compiler, optimisation));

for (const [name, image] of images) {
  describe(`the sample guest, ${name}: gdb and the adapter agree`, { skip: noKvm || noGdb }, () => {
    let program: string;
    before(() => {
      program = image();
    });
    const jumped = TAIL_CALLS.get(name);
    for (const place of PLACES) test(`at ${place}`, () => agreeAt(program, place, jumped?.[place]));
    test('on steps over lines', () => stepAlike(program, 'showcase-visit', 'next', 'next'));
    test('on steps into calls', () => stepAlike(program, 'showcase-visit', 'stepIn', 'step'));
  });
}
