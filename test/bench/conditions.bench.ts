/**
 * Evaluations a second of a breakpoint condition that does not hold. gdb runs one script over one boot sector on Ringside,
 * where the condition goes to the core, and on QEMU, whose stub leaves it to gdb: a stop, a register read and two steps of
 * the protocol for each. The adapter sets the same breakpoint as VS Code does.
 * What no debugger can beat there is what KVM alone takes for a trap and the step off it. QEMU runs by TCG, because its breakpoints do not work on every KVM that Ringside runs on.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { countingSector, withServer } from './guests.ts';
import { kvmAlone } from './kvm-alone.ts';
import { printTable, summary } from './table.ts';

const TURNS = 3;
/** Evaluations in one turn: some seconds' worth each. */
const ROUNDS = { ringside: 50_000, qemu: 1000 };

/** In the counting sector, behind the instruction that counts. */
const BREAK_AT = '0x7c06';

/** Seconds from the first evaluation to the one that holds, by gdb's own clock. */
function seconds(socket: string, rounds: number): number {
  // Ringside stands at the sector's first instruction already; QEMU's firmware comes before it.
  const reach = socket.includes('qemu') ? ['hbreak *0x7c00', 'continue', 'delete'] : [];
  const script = [
    `target remote ${socket}`,
    ...reach,
    `break *${BREAK_AT} if $rax == ${rounds}`,
    'python import time; start = time.monotonic()',
    'continue',
    'python print("SECONDS", time.monotonic() - start, int(gdb.parse_and_eval("$rax")))',
    'kill',
  ];
  // Its exit status tells whether the server was still there to be killed.
  const { stdout } = spawnSync('gdb', ['-nx', '-batch', ...script.flatMap((command) => ['-ex', command])], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [, taken, rax] = /^SECONDS ([\d.]+) (\d+)$/m.exec(stdout) ?? [];
  if (Number(rax) !== rounds) throw new Error(`the condition never held:\n${stdout}`);
  return Number(taken);
}

/** The same from the adapter's messages, of a breakpoint with these terms. */
async function secondsByAdapter(program: string, rounds: number, terms: Terms): Promise<number> {
  const { client, close } = coreAdapter();
  try {
    await client.request('initialize', { adapterID: 'kvm' });
    await client.request('launch', { program, memory: '16M', backend: 'kvm', stopOnEntry: true });
    await client.event('initialized');
    await client.request('setInstructionBreakpoints', {
      breakpoints: [{ instructionReference: BREAK_AT, ...terms }],
    });
    const entry = client.stopped();
    await client.request('configurationDone');
    await entry;
    const start = performance.now();
    const held = client.stopped();
    await client.request('continue', { threadId: 1 });
    await held;
    const taken = (performance.now() - start) / 1000;
    const { result } = await client.request('evaluate', { expression: '$rax,d', context: 'watch' });
    if (Number(result) !== rounds) throw new Error(`the condition held at ${result}`);
    return taken;
  } finally {
    await close();
  }
}

type Terms = { readonly condition: string } | { readonly hitCondition: string };

const rate = (program: string, args: readonly string[], socket: string, rounds: number) =>
  withServer(program, args, socket, () => rounds / seconds(socket, rounds));

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  try {
    const image = countingSector(folder);
    const ringside: number[] = [];
    const qemu: number[] = [];
    const alone: number[] = [];
    const byAdapter: number[] = [];
    const hits: number[] = [];
    for (let turn = 0; turn < TURNS; turn++) {
      alone.push(kvmAlone().stepsOff);
      const ours = join(folder, `ringside${turn}`);
      const core = join(__dirname, '../core.js');
      const run = [core, 'run', image, '--gdb', `unix:${ours}`, '--wait'];
      ringside.push(await rate(process.execPath, run, ours, ROUNDS.ringside));
      const rounds = ROUNDS.ringside;
      byAdapter.push(rounds / (await secondsByAdapter(image, rounds, { condition: `$rax == ${rounds}` })));
      hits.push(rounds / (await secondsByAdapter(image, rounds, { hitCondition: `${rounds}` })));
      const theirs = join(folder, `qemu${turn}`);
      const machine = ['-accel', 'tcg', '-display', 'none', '-m', '16', '-drive', `format=raw,file=${image}`, '-S'];
      const server = ['-chardev', `socket,id=gdb,path=${theirs},server=on,wait=off`, '-gdb', 'chardev:gdb'];
      qemu.push(await rate('qemu-system-x86_64', [...machine, ...server], theirs, ROUNDS.qemu));
    }
    const ratio = summary(ringside.map((value, turn) => value / (qemu[turn] ?? Number.NaN)));
    printTable(`Evaluations of a condition a second, median (least to most) of ${TURNS} runs`, [
      ['QEMU by TCG, in gdb', summary(qemu).text],
      ['Ringside, in the core', summary(ringside).text],
      ['Ringside, set by the adapter', summary(byAdapter).text],
      ['Ringside, a hit count of the adapter', summary(hits).text],
      ['KVM alone, out at a trap and off it', summary(alone).text],
      ['Ringside / QEMU', ratio.text],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
