/** The sample guest: the committed image is what its sources give, and it runs on QEMU, which nobody here wrote. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sampleKernel as committed, sampleSources } from './markers.ts';

describe('sample guest', () => {
  let build: string;

  before(() => {
    build = mkdtempSync(join(tmpdir(), 'ringside-sample-'));
    cpSync(sampleSources, build, { recursive: true, filter: (path) => !path.endsWith('/build') });
    execFileSync('make', ['-s', '-C', build, 'multiboot'], { stdio: 'pipe' });
  });
  after(() => rmSync(build, { recursive: true, force: true }));

  test('rebuilds to the committed bytes', () => {
    const rebuilt = readFileSync(join(build, 'build/ringside-sample.elf'));
    assert.ok(
      rebuilt.equals(readFileSync(committed)),
      'media/sample/ringside-sample.elf is not what its sources give: run make in test/guests/sample, with the gcc of Debian 12, and copy build/ringside-sample.elf',
    );
  });

  test('lies in the file as in memory, so that multiboot can load it by addresses', () => {
    const headers = execFileSync('readelf', ['-lW', committed], { encoding: 'utf8' });
    const loads = [...headers.matchAll(/LOAD\s+(0x\w+) (0x\w+) (0x\w+)/g)].map(([, offset, , physical]) => ({
      offset: Number(offset),
      physical: Number(physical),
    }));
    assert.equal(loads.length, 8);
    for (const { offset, physical } of loads) assert.equal(physical - offset, 0x100000 - 0x1000);
  });

  test('uses no instruction that a kernel without FPU state must not use', () => {
    const code = execFileSync('objdump', ['-d', '--no-show-raw-insn', committed], { encoding: 'utf8', maxBuffer: 1e8 });
    const lines = code.split('\n').filter((line) => /%[xyz]mm|%st|popcnt|syscall|swapgs|cmpxchg16b/.test(line));
    assert.deepEqual(lines, []);
  });

  /** Boots on QEMU, types one key after the other as each text comes, and returns console and exit status. */
  function boot(image: string, script: readonly { after: RegExp; type: string }[], options: readonly string[] = []) {
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...['-accel', 'tcg', '-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot', '-m', '64'],
        ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-kernel', image, ...options],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'], timeout: 60_000, killSignal: 'SIGKILL' },
    );
    const rest = [...script];
    let console = '';
    let seen = 0;
    qemu.stdout.setEncoding('latin1').on('data', (text: string) => {
      console += text.replaceAll('\r', '');
      for (let next = rest[0]; next !== undefined; next = rest[0]) {
        const match = next.after.exec(console.slice(seen));
        if (!match) break;
        seen += match.index + match[0].length;
        qemu.stdin.write(next.type);
        rest.shift();
      }
    });
    return new Promise<{ console: string; status: number | null }>((resolve, reject) => {
      qemu.once('error', reject);
      qemu.once('close', (status) => resolve({ console, status }));
    });
  }

  for (const image of ['ringside-sample.elf', 'ringside-sample-multiboot.elf']) {
    test(`boots on QEMU as ${image} and takes commands`, async () => {
      const { console, status } = await boot(join(build, 'build', image), [
        { after: /ready:/, type: '?' },
        { after: /list tasks\n/, type: 'l' },
        { after: /task 2 walker/, type: 'u' },
        { after: /x87 status/, type: 'b' },
        { after: /after the breakpoint/, type: 'q' },
      ]);
      assert.match(console, /Ringside sample guest/);
      assert.match(console, /hypervisor: none with hypercalls \(TCGTCGTCGTCG\)/);
      assert.match(console, /task 1 counter: state \d, \d+ ticks, result [1-9a-f]/);
      assert.equal(status, (42 << 1) | 1);
    });
  }

  test('starts the other processors', async () => {
    const { console, status } = await boot(
      committed,
      [{ after: /(cpu \d: online.*\n[^>]*){2}/, type: 'p' }],
      ['-smp', '3'],
    );
    assert.match(console, /cpu 1: online, APIC id [12]/);
    assert.equal(status, 0, 'powered off');
  });
});
