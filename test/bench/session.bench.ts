/** A debug session as its user feels it: F5 to the stop at a breakpoint, and each kind of step, whole DAP round trip. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { clearAt, move, stack, stopAt } from '../adapter/driving.ts';
import { SAMPLE } from '../adapter/sample.ts';
import { sampleByMultiboot } from './guests.ts';
import { milliseconds, printTable, summary } from './table.ts';

const LAUNCHES = 5;
const STEPS = 20;
/** The function that both debuggers stop in, and a marked line in it. */
const FUNCTION = 'kernel_main';
const MARKER = 'kernel-main';

type Steps = Record<'next' | 'stepIn' | 'stepi', number[]>;

/** From the adapter's start to the first stop with its call stack, as VS Code asks for it. */
async function ringsideSession(starts: number[], steps: Steps): Promise<void> {
  const adapter = coreAdapter();
  const { client } = adapter;
  try {
    starts.push(
      await milliseconds(async () => {
        await client.request('initialize', { adapterID: 'kvm' });
        await stopAt(client, MARKER);
        await stack(client);
      }),
    );
    await clearAt(client, MARKER);
    for (let step = 0; step < STEPS; step++) await timeSteps(client, steps);
  } finally {
    await adapter.close();
  }
}

async function timeSteps(client: DapClient, steps: Steps): Promise<void> {
  steps.stepIn.push(await milliseconds(() => move(client, 'stepIn').then(() => stack(client))));
  steps.stepi.push(
    await milliseconds(() => move(client, 'next', { granularity: 'instruction' }).then(() => stack(client))),
  );
  steps.next.push(await milliseconds(() => move(client, 'next').then(() => stack(client))));
}

/** Whole-process milliseconds of gdb on QEMU from nothing to the breakpoint, then `count` times `command`. */
function gdbOnQemu(accelerator: string, kernel: string, command: string, count: number): number {
  const qemu = `qemu-system-x86_64 -accel ${accelerator} -display none -monitor none -serial null -net none -m 64 -S -gdb stdio -kernel ${kernel}`;
  const commands = [
    'set pagination off',
    `file ${SAMPLE}`,
    `target remote | ${qemu}`,
    `hbreak ${FUNCTION}`,
    'continue',
  ];
  const script = [...commands, 'delete', ...Array<string>(count).fill(`${command}\nbt`), 'kill'];
  const start = performance.now();
  const run = spawnSync(
    'gdb',
    ['-nx', '-batch', ...script.flatMap((line) => line.split('\n')).flatMap((line) => ['-ex', line])],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  if (!run.stdout.includes(FUNCTION)) throw new Error(`gdb did not stop in ${FUNCTION}:\n${run.stdout}${run.stderr}`);
  return performance.now() - start;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  try {
    const kernel = sampleByMultiboot(folder);
    const starts: number[] = [];
    const steps: Steps = { next: [], stepIn: [], stepi: [] };
    const peers: Record<'kvm' | 'tcg', number[]> = { kvm: [], tcg: [] };
    for (let turn = 0; turn < LAUNCHES; turn++) {
      await ringsideSession(starts, steps);
      for (const accelerator of ['kvm', 'tcg'] as const) {
        peers[accelerator].push(gdbOnQemu(accelerator, kernel, '', 0));
      }
    }
    const ours = summary(starts).median;
    printTable(`Start to the first stop, milliseconds: median (least to most) of ${LAUNCHES}`, [
      ['Ringside, adapter spawned to call stack shown', summary(starts).text, ''],
      ['gdb on QEMU with KVM', summary(peers.kvm).text, `${(summary(peers.kvm).median / ours).toFixed(1)} times ours`],
      ['gdb on QEMU with TCG', summary(peers.tcg).text, `${(summary(peers.tcg).median / ours).toFixed(1)} times ours`],
    ]);
    const withSteps = (command: string) =>
      (gdbOnQemu('tcg', kernel, command, STEPS) - summary(peers.tcg).median) / STEPS;
    printTable('A step and its call stack, milliseconds', [
      ['', 'Ringside: median (least to most)', 'gdb on QEMU with TCG: mean'],
      ['step in', summary(steps.stepIn).text, withSteps('step').toFixed(2)],
      ['step over', summary(steps.next).text, withSteps('next').toFixed(2)],
      ['step one instruction', summary(steps.stepi).text, withSteps('stepi').toFixed(2)],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
