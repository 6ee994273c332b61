/** The real adapter on the real core: `ringside dap` as an editor starts it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { HostReport } from '../../hypervisor-core/protocol/inspect.ts';
import { patience } from '../patience.ts';
import type { Adapter } from './driving.ts';

const RINGSIDE = join(__dirname, '..', 'ringside.js');

/** Why tests on /dev/kvm cannot run here; false when they can. */
export const noKvm: string | false = existsSync('/dev/kvm') ? false : 'no /dev/kvm';

/** Whether `ringside doctor` gives `answer` to the question `id` about this host. */
export function hostAnswers(id: string, answer: string): boolean {
  const { stdout } = spawnSync(process.execPath, [RINGSIDE, 'doctor', '--json'], { encoding: 'utf8' });
  const report: HostReport = JSON.parse(stdout);
  return report.facts.some((fact) => fact.id === id && fact.answer === answer);
}

export interface CoreAdapter extends Adapter {
  readonly process: ChildProcess;
  /** Closes the adapter's input and waits for its end; resolves with its exit status. */
  close(): Promise<number | null>;
}

export interface CoreAdapterOptions {
  /** A command that runs the adapter under other circumstances, e.g. as another user. */
  readonly before?: readonly string[];
  /** Another build's command-line program. */
  readonly program?: string;
  /** Milliseconds after which the session is given up, by {@link patience}. */
  readonly longest?: number;
}

/**
 * A session that hangs is given up: whatever its test waits for fails, and the adapter is killed, which takes the guest with
 * it. So a test that hangs keeps no other from running.
 */
export function coreAdapter({
  before = [],
  program: ringside = RINGSIDE,
  longest = 60_000,
}: CoreAdapterOptions = {}): CoreAdapter {
  const [program = '', ...args] = [...before, process.execPath, '--enable-source-maps', ringside, 'dap'];
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const client = new DapClient(child.stdout, child.stdin);
  const late = setTimeout(() => {
    client.end(new Error(`the session was given up after ${patience(longest) / 1000} s`));
    child.kill('SIGKILL');
  }, patience(longest));
  child.once('exit', () => clearTimeout(late));
  return {
    client,
    process: child,
    close: async () => {
      child.stdin.end();
      await exited;
      return child.exitCode;
    },
  };
}
