/** The sample guest from a terminal: `ringside run`, its console, its hypercalls, and every way it can end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sampleKernel } from '../guests/markers.ts';
import { patience } from '../patience.ts';

const program = join(__dirname, '../ringside.js');

interface Typed {
  /** What the console must say first, from the end of the last such text on. */
  readonly after: RegExp;
  readonly type: string;
}

interface Run {
  readonly console: string;
  readonly errors: string;
  readonly status: number | null;
}

/** Runs the guest, types each key when its text has come, and waits for the end. */
function run(keys: readonly Typed[], options: readonly string[] = []): Promise<Run> {
  const child = spawn(process.execPath, [program, 'run', sampleKernel, ...options], {
    timeout: patience(120_000),
    killSignal: 'SIGKILL',
  });
  const rest = [...keys];
  let console = '';
  let errors = '';
  let seen = 0;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    console += text.replaceAll('\r', '');
    for (let next = rest[0]; next !== undefined; next = rest[0]) {
      const match = next.after.exec(console.slice(seen));
      if (!match) break;
      seen += match.index + match[0].length;
      child.stdin.write(next.type);
      rest.shift();
    }
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ console, errors, status }));
  });
}

describe('ringside run with the sample guest', () => {
  test('boots, talks to the hypervisor, runs its tasks and leaves by the debug-exit port', async () => {
    const { console, status } = await run([
      { after: /ready: /, type: '?' },
      { after: /list tasks\n/, type: 'c' },
      { after: /hypercalls so far\n/, type: 'l' },
      { after: /task 2 walker.*\n/, type: 'q' },
    ]);
    assert.match(console, /Ringside sample guest/);
    assert.match(console, /hypervisor: XenVMMXenVMM \d+\.\d+\n/);
    assert.ok(Number(/(\d+) hypercalls so far/.exec(console)?.[1]) > 100);
    assert.match(console, /task 0 kernel: state \d, [1-9]/);
    assert.equal(status, (42 << 1) | 1);
  });

  test('ends with 0 at power-off', async () => {
    const { status } = await run([{ after: /ready: /, type: 'p' }]);
    assert.equal(status, 0);
  });

  test('starts the other processors', async () => {
    const { console, status } = await run([{ after: /(cpu \d: online.*\n[^>]*){2}/, type: 'p' }], ['--cpus', '3']);
    assert.match(console, /cpu 1: online, APIC id [12]/);
    assert.equal(status, 0);
  });

  test('gives the guest its own breakpoint instruction', async () => {
    const { console, status } = await run([
      { after: /ready: /, type: 'b' },
      { after: /after the breakpoint/, type: 'p' },
    ]);
    assert.match(console, /breakpoint: rip ffffffff8010/);
    assert.equal(status, 0);
  });

  test('says that the guest was ended by a triple fault', async () => {
    const { errors, status } = await run([{ after: /ready: /, type: 't' }]);
    assert.match(errors, /triple fault/i);
    assert.notEqual(status, 0);
  });

  test('executes an x87 instruction in the kernel, or names it and its address', async () => {
    const { console, errors, status } = await run([
      { after: /ready: /, type: 'u' },
      { after: /x87 status/, type: 'p' },
    ]);
    // KVM-PVM interprets supervisor code and knows no x87 instruction.
    if (existsSync('/sys/module/kvm_pvm') && !/x87 status/.test(console)) {
      assert.match(errors, /`fnstsw ax`/);
      assert.match(errors, /ffffffff8010[0-9a-f]{4}/);
      assert.notEqual(status, 0);
    } else {
      assert.match(console, /x87 status/);
      assert.equal(status, 0);
    }
  });
});
