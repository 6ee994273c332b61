/**
 * Symbols of Debian's kernel, 590 MB: how long until a function breakpoint has its place, until all names are known, and
 * until a structure is found and laid out, and how much memory that takes; beside gdb, lldb and drgn, whole processes all. Some
 * lines have a copy of the kernel with a `.gdb_index`, which gdb makes here.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { printTable, summary } from './table.ts';

const ROUNDS = 3;
const vmlinux = process.env['RINGSIDE_VMLINUX'] ?? '';
const cache = join(tmpdir(), `ringside-index-${process.pid}`);
const scratch = join(tmpdir(), `ringside-gdb-index-${process.pid}`);
/** A copy with a `.gdb_index`. */
const withIndex = join(scratch, 'vmlinux');

/** `early`: a structure before all names are known. */
type Task = 'break' | 'index' | 'type' | 'early';

interface Cost {
  readonly seconds: number;
  readonly megabytes: number;
}

/** Wall-clock time and peak resident memory of a process, by the shell's `time`. */
function cost(command: readonly string[]): Cost {
  const run = spawnSync('/usr/bin/time', ['-f', '%e %M', ...command], { encoding: 'utf8' });
  const [seconds, kilobytes] = (run.stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  if (run.status !== 0 || !seconds || !kilobytes) throw new Error(`${command[0]} failed: ${run.stderr}`);
  return { seconds, megabytes: kilobytes / 1024 };
}

/** This program again, as the process to be measured. */
const ringside = (what: Task, folder: string, image = vmlinux) => [process.execPath, __filename, what, folder, image];
const python = (body: string) => [
  '/usr/bin/python3',
  '-c',
  `import drgn; p = drgn.Program(); p.load_debug_info(['${vmlinux}']); ${body}`,
];
const gdb = (command: string, image = vmlinux) => ['gdb', '-batch', '-nx', '-ex', command, image];
const lldb = (command: string) => ['lldb', '--no-lldbinit', '-b', '-o', command, vmlinux];

const tasks: readonly (readonly [string, readonly (readonly [string, () => readonly string[]])[]])[] = [
  [
    'function breakpoint',
    [
      ['ringside, nothing kept', () => ringside('break', emptied())],
      ['ringside, nothing kept, with a .gdb_index', () => ringside('break', emptied(), withIndex)],
      ['gdb', () => gdb('break vfs_read')],
      ['gdb, with a .gdb_index', () => gdb('break vfs_read', withIndex)],
      ['lldb', () => lldb('breakpoint set --name vfs_read')],
      ['drgn', () => python("p.symbol('vfs_read')")],
    ],
  ],
  [
    'all names known',
    [
      ['ringside, nothing kept', () => ringside('index', emptied())],
      ['ringside, index kept', () => ringside('index', cache)],
      ['drgn', () => python("p.type('struct list_head')")],
    ],
  ],
  [
    'struct task_struct laid out',
    [
      ['ringside, index kept', () => ringside('type', cache)],
      ['ringside, nothing kept', () => ringside('type', emptied())],
      ['ringside, nothing kept, with a .gdb_index', () => ringside('early', emptied(), withIndex)],
      ['gdb', () => gdb('ptype struct task_struct')],
      ['gdb, with a .gdb_index', () => gdb('ptype struct task_struct', withIndex)],
      ['lldb', () => lldb('type lookup task_struct')],
      ['drgn', () => python("str(p.type('struct task_struct'))")],
    ],
  ],
];

/** What a measured process does. */
async function perform(task: Task, folder: string, image: string): Promise<void> {
  const symbols = await openSymbols(image, { cache: folder });
  if (task === 'break') console.log(await symbols.placesForFunction('vfs_read'));
  else if (task !== 'early') await symbols.indexed;
  if (task === 'type' || task === 'early') {
    const start = performance.now();
    const type = symbols.typeNamed('task_struct', 'struct');
    const members = type?.kind === 'struct' ? type.members.map((member) => member.type.kind) : [];
    console.log(`${members.length} members, ${(performance.now() - start).toFixed(1)} ms`);
  }
  symbols.close();
}

function emptied(): string {
  rmSync(cache, { recursive: true, force: true });
  return cache;
}

function compare(): void {
  mkdirSync(scratch);
  const made = cost(gdb(`save gdb-index ${scratch}`));
  console.log(`gdb makes its index in ${made.seconds.toFixed(1)} s with ${made.megabytes.toFixed(0)} MB`);
  const section = `.gdb_index=${join(scratch, `${basename(vmlinux)}.gdb-index`)}`;
  cost(['objcopy', '--add-section', section, vmlinux, withIndex]);
  for (const [heading, programs] of tasks) {
    const rows: string[][] = [];
    let ours: number | undefined;
    for (const [name, command] of programs) {
      const costs = Array.from({ length: ROUNDS }, () => cost(command()));
      const { median, text } = summary(costs.map(({ seconds }) => seconds));
      ours ??= median;
      const megabytes = Math.max(...costs.map((each) => each.megabytes));
      rows.push([name, `${text} s`, `${(median / ours).toFixed(1)} times`, `${megabytes.toFixed(0)} MB`]);
    }
    printTable(heading, rows);
  }
  const [program = '', ...parameters] = ringside('type', cache);
  console.log(
    `\ntask_struct in a process that has the index: ${spawnSync(program, parameters, { encoding: 'utf8' }).stdout}`,
  );
}

const task = process.argv[2] as Task | undefined;
if (task) void perform(task, process.argv[3] ?? '', process.argv[4] ?? '');
else {
  try {
    compare();
  } finally {
    for (const folder of [cache, scratch]) rmSync(folder, { recursive: true, force: true });
  }
}
