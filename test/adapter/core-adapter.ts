/** The real adapter on the real core: `ringside dap` as an editor starts it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { HostReport } from '../../hypervisor-core/protocol/inspect.ts';
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

/** `before` is a command that runs the adapter under other circumstances, e.g. as another user. */
export function coreAdapter(...before: readonly string[]): CoreAdapter {
  const [program = '', ...args] = [...before, process.execPath, '--enable-source-maps', RINGSIDE, 'dap'];
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  return {
    client: new DapClient(child.stdout, child.stdin),
    process: child,
    close: async () => {
      child.stdin.end();
      await exited;
      return child.exitCode;
    },
  };
}
