/**
 * A QEMU of ours. It has no notion of a client whose end is its own, so a shell beside it waits for the end of a pipe that
 * the adapter holds, and ends QEMU then: an adapter that is killed leaves nothing behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connectTo } from './stub-address.ts';
import { TargetError } from './target.ts';

export const QEMU = 'qemu-system-x86_64';

/** `$0` becomes QEMU, in a process group of its own; file 3 is the pipe. */
const SHELL = '{ cat >/dev/null; kill -9 $$; } <&3 2>/dev/null & exec "$0" "$@" 3<&-';

const LONGEST_TAIL = 4096;
const PATIENCE = { start: 30_000, end: 3_000 } as const;
const RETRY = 5;

export class QemuProcess {
  private readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  private tail = '';

  constructor(parameters: readonly string[]) {
    this.child = spawn('sh', ['-c', SHELL, QEMU, ...parameters], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.ended = once(this.child, 'exit').catch((error: Error) => {
      this.tail += error.message;
    });
    // The group keeps its number as long as the waiting shell is in it, so nobody else's is hit.
    void this.ended.then(() => this.killGroup());
    const words = this.child.stderr as Readable;
    words.setEncoding('utf8');
    words.on('data', (text: string) => {
      this.tail = (this.tail + text).slice(-LONGEST_TAIL);
    });
    this.lifeline.on('error', () => undefined);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get alive(): boolean {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Exit status; undefined while it runs, or when a signal ended it. */
  get exitStatus(): number | undefined {
    return this.child.exitCode ?? undefined;
  }

  /** What QEMU last said on standard error, without its own name before it. */
  get words(): string {
    return this.tail.trim().replace(/^qemu-system-\w+: /gm, '');
  }

  /** Connects to a socket that QEMU is about to make. */
  async connect(path: string) {
    const deadline = Date.now() + PATIENCE.start;
    for (;;) {
      try {
        return await connectTo({ kind: 'unix', path }, 'socket of QEMU');
      } catch (error) {
        if (!this.alive) {
          await this.ended;
          throw new TargetError(this.words || `QEMU ended with status ${this.exitStatus}`);
        }
        if (Date.now() > deadline) throw error;
      }
      await delay(RETRY);
    }
  }

  async end(): Promise<void> {
    if (this.alive) this.child.kill('SIGTERM');
    const late = delay(PATIENCE.end, 'late' as const, { ref: false });
    if ((await Promise.race([this.ended, late])) === 'late') this.killGroup();
    await this.ended;
    this.lifeline.destroy();
  }

  private get lifeline(): Writable {
    return this.child.stdio[3] as Writable;
  }

  private killGroup(): void {
    try {
      if (this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      // All of it is gone.
    }
  }
}
