/** Requests that are almost right: whatever a client sends is answered or refused, in time, and by no defect of ours. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { DapClient } from '../cli/dap-client.ts';
import { ElfFile } from '../symbols/elf.ts';
import { areas } from './areas.ts';
import { CannedTarget } from './canned-target.ts';
import { junk } from './junk.ts';
import { DapServer } from './server.ts';

const SEED = 20261128;
const SESSIONS = 20;
const REQUESTS = 250;
/** Sent at once, after which the guest is stopped again, or started. */
const BATCH = 5;
/** So many at least must come to something, or they are no test. */
const FEWEST = 20;
/** Of our own, see `internalError`. */
const DEFECT = 1900;
const LONGEST = 60_000;

const program = join(__dirname, '../../media/sample/ringside-sample.elf');
const folder = mkdtempSync(join(tmpdir(), 'ringside-fuzz-'));
const path = join(folder, 'kernel.c');
after(() => rmSync(folder, { recursive: true, force: true }));

const COMMANDS = areas.flatMap(({ handlers }) => Object.keys(handlers));
/** After which there is another guest, or none: seldom, or little else would come to anything. */
const ENDING = ['launch', 'attach', 'restart', 'terminate'];
/** Of the requests that take some, arguments as a client in order sends them. */
const whole: Readonly<Record<string, object>> = {
  launch: { program, memory: '64M' },
  attach: { program, target: 'localhost:1' },
  setBreakpoints: {
    source: { path },
    breakpoints: [{ line: 1, condition: '1', hitCondition: '2', logMessage: '{1}' }],
  },
  setFunctionBreakpoints: { breakpoints: [{ name: 'showcase', condition: '$rip' }, { name: '*0x1000' }] },
  setInstructionBreakpoints: { breakpoints: [{ instructionReference: '0x100000', offset: 4, mode: 'hardware' }] },
  setExceptionBreakpoints: { filters: ['14'], filterOptions: [{ filterId: '13', condition: '$cr2 < 4096' }] },
  dataBreakpointInfo: { name: '0x7000', asAddress: true, bytes: 8 },
  setDataBreakpoints: { breakpoints: [{ dataId: '0x7000/8', accessType: 'write' }] },
  breakpointLocations: { source: { path }, line: 1, endLine: 100 },
  continue: { threadId: 1, singleThread: true },
  pause: { threadId: 1 },
  next: { threadId: 1, granularity: 'instruction' },
  stepIn: { threadId: 2, targetId: 1, granularity: 'line' },
  stepOut: { threadId: 1 },
  stepInTargets: { frameId: 1 },
  gotoTargets: { source: { path }, line: 3 },
  goto: { threadId: 1, targetId: 1 },
  stackTrace: { threadId: 1, startFrame: 0, levels: 20 },
  scopes: { frameId: 1 },
  variables: { variablesReference: 1, filter: 'indexed', start: 0, count: 10, format: { hex: true } },
  setVariable: { variablesReference: 1, name: 'rax', value: '0x10' },
  setExpression: { expression: '$rax', value: '1', frameId: 1 },
  evaluate: { expression: '*(int *)$rsp + 1', context: 'watch', frameId: 1, format: { hex: true } },
  completions: { text: '$r', column: 3, frameId: 1 },
  disassemble: {
    memoryReference: '0x100000',
    offset: 0,
    instructionOffset: -8,
    instructionCount: 16,
    resolveSymbols: true,
  },
  readMemory: { memoryReference: '0x100000', offset: 0, count: 64 },
  writeMemory: { memoryReference: '0x7000', offset: 0, data: 'AAECAw==', allowPartial: true },
  source: { source: { path, sourceReference: 0 }, sourceReference: 0 },
  modules: { startModule: 0, moduleCount: 10 },
  exceptionInfo: { threadId: 1 },
  'ringside/consoleInput': { data: 'AAEC' },
  'ringside/follow': { parts: ['registers', 'exits'], pages: { since: 0 } },
  'ringside/snapshot': { threadId: 1, parts: ['registers', 'pageTables', 'interrupts', 'memoryMap', 'tasks'] },
  'ringside/setRegister': { threadId: 1, name: 'rax', value: '0x10' },
  'ringside/pageTable': { address: '0x1000', level: 4, threadId: 1 },
  'ringside/walk': { address: '0x1000', cr3: '0x2000', threadId: 1 },
  'ringside/mappings': { cr3: '0x1000', from: '0x0', limit: 100, threadId: 1 },
  'ringside/inject': { threadId: 1, vector: 32 },
  'ringside/hypercalls': { from: 0, limit: 10 },
  'ringside/exitTrace': { from: 0, limit: 10 },
  'ringside/traceExits': { on: true },
  'ringside/recordCalls': { on: true },
  'ringside/runAlone': { threadId: 1, how: 'step' },
  'ringside/stopOn': { kind: 'port', from: '0x60' },
  'ringside/taskStack': { address: '0x1000' },
  'ringside/linuxIrqs': {},
  'ringside/linuxTimers': {},
  'ringside/xenDomain': {},
  'ringside/whatIs': { threadId: 1, address: '0x1000' },
  'ringside/inlineScope': { frameId: 1 },
};

type Change = (args: unknown) => unknown;

/** Puts something else at a random place, however deep; leaves it out; or gives it twice. */
const change: fc.Arbitrary<Change> = fc
  .record({ at: fc.array(fc.nat(20), { maxLength: 4 }), what: fc.nat(3), by: junk })
  .map(({ at, what, by }) => {
    const changed = (value: unknown, depth: number): unknown => {
      const step = at[depth];
      if (typeof value !== 'object' || value === null || step === undefined) return by;
      const keys = Object.keys(value);
      const key = keys[step % Math.max(keys.length, 1)];
      if (key === undefined) return by;
      if (Array.isArray(value)) {
        if (what === 2) return [...value, ...value];
        return value.map((each, index) => (String(index) === key ? changed(each, depth + 1) : each));
      }
      const copy: Record<string, unknown> = { ...value };
      if (what === 1) delete copy[key];
      else copy[key] = changed(copy[key], depth + 1);
      return copy;
    };
    return (args) => changed(args, 0);
  });

const request = fc
  .record({
    command: fc.oneof(
      {
        weight: 300,
        arbitrary: fc.constantFrom(...COMMANDS.filter((name) => ![...ENDING, 'disconnect'].includes(name))),
      },
      { weight: 3, arbitrary: fc.constantFrom(...ENDING) },
      { weight: 3, arbitrary: fc.string() },
    ),
    changes: fc.array(change, { maxLength: 3 }),
  })
  .map(({ command, changes }) => ({
    command,
    args: changes.reduce<unknown>((args, each) => each(args), whole[command] ?? {}),
  }));

/** A server with a canned guest, and a client of it. */
function connected() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const server = new DapServer(areas, async () => new CannedTarget(ElfFile.open(program)));
  server.start(input, output);
  return { server, client: new DapClient(output, input) };
}

interface Sent {
  readonly command: string;
  readonly args: unknown;
}

/** What is not answered or refused before the time is out, what by defects of ours, and how many are answered. */
async function played(client: DapClient, requests: readonly Sent[], isLaunched: boolean) {
  const waiting = new Map<Sent, string>();
  const defects: string[] = [];
  let answered = 0;
  const send = async (each: Sent) => {
    waiting.set(each, `${each.command} ${JSON.stringify(each.args)}`);
    const { success, body, message } = await client.send(each.command, each.args);
    if (!success && body?.error?.id === DEFECT) defects.push(`${waiting.get(each)}: ${message}`);
    waiting.delete(each);
    if (success) answered++;
  };
  const all = async () => {
    for (let first = 0; first < requests.length; first += BATCH) {
      await Promise.all(requests.slice(first, first + BATCH).map(send));
      await client.send('pause', { threadId: 1 });
      if (isLaunched && !(await client.send('threads')).success) await client.send('restart');
    }
  };
  const over = new AbortController();
  await Promise.race([all(), delay(LONGEST, undefined, { signal: over.signal }).catch(() => undefined)]);
  over.abort();
  return { waiting: [...waiting.values()], defects, answered };
}

describe('requests that are almost right are answered or refused', () => {
  const sample = fc.sample(request, { numRuns: SESSIONS * REQUESTS, seed: SEED });
  for (let session = 0; session < SESSIONS; session++) {
    const requests = sample.slice(session * REQUESTS, (session + 1) * REQUESTS);
    // Of the first sessions the guest is there from the start, of the others a request may bring it.
    const isLaunched = session % 4 !== 3;
    test(`session ${session}, ${isLaunched ? 'at a stop' : 'before a launch'}`, async () => {
      const { server, client } = connected();
      await client.request('initialize', { adapterID: 'kvm', supportsProgressReporting: true });
      if (isLaunched) {
        await client.request('launch', { program, stopOnEntry: true });
        await client.request('configurationDone');
        await client.stopped();
      }
      const { answered, ...others } = await played(client, requests, isLaunched);
      assert.deepEqual(others, { waiting: [], defects: [] });
      if (isLaunched) assert.ok(answered >= FEWEST, `${answered} of ${requests.length} answered`);
      await server.close();
      // It is still there for the next question.
      assert.equal((await client.send('threads')).command, 'threads');
    });
  }
});
