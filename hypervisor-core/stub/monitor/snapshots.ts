/** `monitor savevm`, `loadvm`, `delvm`, `info snapshots`: named and laid out as QEMU's. Snapshots live as long as the core. */
import type { MonitorCommand } from './monitor-command.ts';

/** Runs what may not be possible; QEMU prints such an error and goes on. */
const attempt = async (body: () => unknown): Promise<string> => {
  try {
    await body();
    return '';
  } catch (error) {
    return `Error: ${error instanceof Error ? error.message : String(error)}\n`;
  }
};

const MEBIBYTE = 2 ** 20;
const clock = (microseconds: number) => new Date(microseconds / 1000).toISOString().slice(11, 23);

const list: MonitorCommand = {
  name: 'info snapshots',
  help: 'snapshots of the machine',
  run({ machine }) {
    const rows = machine.snapshots.list().map(({ name, bytes, taken, time }) => {
      const size = `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
      return `--  ${name.padEnd(20)} ${size.padStart(12)} ${taken.slice(0, 19).replace('T', ' ')} ${clock(time)}\n`;
    });
    if (rows.length === 0) return 'There is no snapshot available.\n';
    return `ID  ${'TAG'.padEnd(20)} ${'VM SIZE'.padStart(12)} ${'DATE'.padEnd(19)} VM CLOCK\n${rows.join('')}`;
  },
};

export const snapshotCommands: readonly MonitorCommand[] = [
  {
    name: 'savevm',
    parameters: 'NAME',
    help: 'keep the whole machine as it is',
    run: ({ machine }, name) => attempt(() => machine.snapshots.take(name)),
  },
  {
    name: 'loadvm',
    parameters: 'NAME',
    help: 'make the machine what it was',
    run: ({ machine }, name) => attempt(() => machine.snapshots.restore(name)),
  },
  {
    name: 'delvm',
    parameters: 'NAME',
    help: 'forget a snapshot',
    run: ({ machine }, name) => attempt(() => machine.snapshots.remove(name)),
  },
  list,
];
