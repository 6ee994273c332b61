#!/usr/bin/env node
/** The command line, `ringside COMMAND`. Each command's program is loaded only when it is asked for. */
import { join } from 'node:path';
import { CORE_PROGRAM, whyNoCore } from '../target/own-core.ts';

const USAGE = `Usage: ringside COMMAND

  run KERNEL [options]   boot a guest, its serial port on this terminal (ringside run --help)
  doctor [--json]        say what this machine's KVM can do, and what to do where it cannot
  snapshot ADDRESS ...   keep a running guest, and bring it back (ringside snapshot --help)
  dap                    the debug adapter, on standard input and output
  demo                   a debug session of the sample guest, shown here
  --version              which Ringside this is
`;

/** What the core's program hands out: runs `run`, `doctor` and `snapshot` and resolves with the exit status. */
interface CoreProgram {
  main(args: readonly string[]): Promise<number>;
}

interface AdapterProgram {
  serve(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Promise<void>;
}

async function main([command, ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case 'run':
    case 'doctor':
    case 'snapshot': {
      const coreless = whyNoCore();
      if (coreless) throw new Error(coreless);
      const core: CoreProgram = require(CORE_PROGRAM);
      return core.main([command, ...rest]);
    }
    case 'dap': {
      const adapter: AdapterProgram = require(join(__dirname, 'adapter.js'));
      await adapter.serve(process.stdin, process.stdout);
      return 0;
    }
    case 'demo': {
      const { demo } = await import('./demo.ts');
      return demo();
    }
    case '--version': {
      const { name, version }: { name: string; version: string } = require(join(__dirname, '../package.json'));
      process.stdout.write(`${name} ${version}\n`);
      return 0;
    }
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return command === undefined ? 2 : 0;
    default:
      process.stderr.write(`ringside: there is no command "${command}".\n\n${USAGE}`);
      return 2;
  }
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    process.stderr.write(`ringside: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
