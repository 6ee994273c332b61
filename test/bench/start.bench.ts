/** From a command to the kernel's first byte on the serial line: `ringside run` beside QEMU, with the sample guest. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sampleKernel } from '../guests/markers.ts';
import { sampleByMultiboot } from './guests.ts';
import { milliseconds, printTable, summary, usable } from './table.ts';

const TURNS = 9;

/** Milliseconds until the program has written its first byte. */
async function firstByte(program: string, args: readonly string[]): Promise<number> {
  let ended: Promise<unknown> = Promise.resolve();
  try {
    return await milliseconds(async () => {
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      ended = once(child, 'exit').finally(() => child.stdout.destroy());
      await once(child.stdout, 'data');
      child.kill();
    });
  } finally {
    await ended;
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  try {
    const kernel = sampleByMultiboot(folder);
    const accelerators = usable('/dev/kvm') ? ['kvm', 'tcg'] : ['tcg'];
    const ours: number[] = [];
    const theirs = new Map<string, number[]>(accelerators.map((name) => [name, []]));
    for (let turn = 0; turn < TURNS; turn++) {
      ours.push(await firstByte(process.execPath, [join(__dirname, '../core.js'), 'run', sampleKernel]));
      for (const [name, list] of theirs) {
        const machine = ['-accel', name, '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-net', 'none'];
        list.push(await firstByte('qemu-system-x86_64', [...machine, '-m', '64', '-kernel', kernel]));
      }
    }
    const { median, text } = summary(ours);
    printTable(
      `From the command to the first byte on the serial line, milliseconds: median (least to most) of ${TURNS}`,
      [
        ['ringside run', text, ''],
        ...[...theirs].map(([name, list]) => [
          `QEMU with ${name}`,
          summary(list).text,
          `${(summary(list).median / median).toFixed(1)} times ours`,
        ]),
      ],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
