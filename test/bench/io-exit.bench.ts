/** One port-I/O exit, guest to worker and back, beside the same loop in C on the same host, turn by turn. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootImage } from '../../hypervisor-core/boot/boot-image.ts';
import { imm32, Session, tinyImage } from '../core/tiny-guest.ts';
import { milliseconds, printTable, summary } from './table.ts';

/** So many that what is not compiled yet at first does not count. */
const ROUNDS = 200_000;
const TURNS = 9;

/** mov ecx, rounds; out 0x80, al; dec ecx; jnz; out 0xf4, al */
const loop = [0xb9, ...imm32(ROUNDS), 0xe6, 0x80, 0xff, 0xc9, 0x75, 0xfa, 0xe6, 0xf4];

/** The loop in flat 32-bit protected mode, as io-exit.c runs it. */
function flatImage(): BootImage {
  const image = tinyImage({ code: loop });
  const cs = { ...image.cpu.segments.cs, l: 0, db: 1 };
  const cpu = { ...image.cpu, mode: 'protected32', cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n } as const;
  return { ...image, cpu: { ...cpu, segments: { ...cpu.segments, cs } } };
}

async function ringsideMicroseconds(): Promise<number> {
  const session = await Session.startImage(flatImage());
  try {
    return ((await milliseconds(() => session.goToEnd())) * 1000) / ROUNDS;
  } finally {
    await session.machine.close();
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  try {
    const program = join(folder, 'io-exit');
    execFileSync('gcc', ['-O2', '-o', program, join(__dirname, '../../test/bench/io-exit.c')]);
    const ringside: number[] = [];
    const c: number[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      c.push(Number(execFileSync(program, [String(ROUNDS)])) / ROUNDS);
      ringside.push(await ringsideMicroseconds());
    }
    const ratio = summary(ringside.map((value, turn) => value / (c[turn] ?? Number.NaN)));
    printTable(`I/O exit round trip, microseconds: median (least to most) of ${TURNS} runs of ${ROUNDS}`, [
      ['C', summary(c).text],
      ['Ringside, on the vCPU worker', summary(ringside).text],
      ['Ringside / C, goal at most 1.20', ratio.text],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
