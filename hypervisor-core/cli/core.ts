/** The core's program: `run`, `doctor` and `snapshot`. Started by itself, or by `ringside`, which calls {@link main}. */
import { BootError } from '../boot/boot-image.ts';
import { SnapshotError } from '../machine/api.ts';
import { MachineError } from '../machine/machine.ts';
import { doctor } from './doctor.ts';
import { run } from './run.ts';
import { parseRunOptions, RUN_USAGE } from './run-options.ts';
import { snapshot } from './snapshot.ts';
import { UsageError } from './usage-error.ts';

/** Exit status of a command line, kernel or host that will not do; the same as a shell's own. */
const UNUSABLE = 2;
const BROKEN = 1;

/** Runs one command and resolves with the exit status; everything it started is gone by then. */
export async function main([command, ...args]: readonly string[]): Promise<number> {
  try {
    if (command === 'run') {
      const options = parseRunOptions(args);
      if (options) return await run(options);
      process.stdout.write(RUN_USAGE);
      return 0;
    }
    if (command === 'doctor') return doctor(args);
    if (command === 'snapshot') return await snapshot(args);
    throw new UsageError(`the core knows "run", "doctor" and "snapshot", not "${command ?? ''}"`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`ringside: ${error instanceof MachineError ? optionName(error) : ''}${message}\n`);
    return error instanceof UsageError ||
      error instanceof MachineError ||
      error instanceof BootError ||
      error instanceof SnapshotError
      ? UNUSABLE
      : BROKEN;
  }
}

function optionName({ option }: MachineError): string {
  return option === undefined || option === 'host' ? '' : `--${option}: `;
}

if (require.main === module) void main(process.argv.slice(2)).then((status) => process.exit(status));
