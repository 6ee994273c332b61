/** The same kernel under Ringside and under QEMU, by multiboot 1 and by PVH: both tell it the same. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const sources = join(__dirname, '../../test/guests/boot-facts');
const ringside = join(__dirname, '../ringside.js');
const folder = mkdtempSync(join(tmpdir(), 'ringside-boot-facts-'));
after(() => rmSync(folder, { recursive: true }));

function build(protocol: string): string {
  const path = join(folder, `${protocol}.elf`);
  const options = ['-m32', '-O1', '-ffreestanding', '-fno-pic', '-fno-stack-protector', '-mgeneral-regs-only'];
  const link = [
    '-nostdlib',
    '-static',
    '-no-pie',
    '-Wl,--build-id=none,--no-warn-rwx-segments',
    '-T',
    join(sources, 'facts.ld'),
  ];
  const inputs = [join(sources, 'start.S'), join(sources, 'facts.c')];
  execFileSync('gcc', [...options, '-w', `-D${protocol}`, ...link, ...inputs, '-o', path]);
  return path;
}

const module = join(folder, 'module');
writeFileSync(module, 'what is in the module');

const serial = join(folder, 'serial');

/** What the guest of a command has written to {@link serial}: not a pipe, because QEMU drops what a late reader does not take. */
function serialOutput(command: string, parameters: readonly string[]): { lines: string[]; status: number | null } {
  const output = openSync(serial, 'w');
  const { status } = spawnSync(command, parameters, {
    timeout: 60_000,
    cwd: folder,
    stdio: ['ignore', output, 'inherit'],
  });
  closeSync(output);
  return { lines: readFileSync(serial, 'latin1').replaceAll('\r', '').trim().split('\n'), status };
}

const underQemu = (kernel: string) =>
  serialOutput('qemu-system-x86_64', [
    ...['-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', `file:${serial}`],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
    ...['-append', 'first second=2', '-initrd', 'module', '-kernel', kernel],
  ]);

const underRingside = (kernel: string) =>
  serialOutput(process.execPath, [
    ...[ringside, 'run', kernel, '--memory', '64M', '--append', 'first second=2', '--initrd', module],
  ]);

describe('a kernel is told the same by Ringside and by QEMU', { timeout: 180_000 }, () => {
  for (const [protocol, first] of [
    ['MULTIBOOT1', 'multiboot 1'],
    ['PVH', 'PVH 0000000000000001'],
  ] as const) {
    test(protocol, () => {
      const kernel = build(protocol);
      const qemu = underQemu(kernel);
      assert.equal(qemu.status, 0x21);
      const at = qemu.lines.findIndex((line) => line.endsWith(first));
      const ours = underRingside(kernel);
      assert.deepEqual([ours.lines[0], ours.lines[1], ours.status], [first, 'command line: second=2', 0x21]);
      assert.ok(ours.lines.some((line) => line.endsWith(': what is in the module')));
      assert.deepEqual(ours.lines.slice(1), qemu.lines.slice(at + 1));
    });
  }
});
