/** A core as the adapter starts it: no console, a lifeline, sockets in a folder of its own. Stopped at the first instruction. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createMessageConnection, type MessageConnection } from 'vscode-jsonrpc/node';
import { sampleKernel } from '../guests/markers.ts';

const program = join(__dirname, '../core.js');

export class RunningCore {
  readonly folder = mkdtempSync(join(tmpdir(), 'ringside-test-'));
  readonly gdb = join(this.folder, 'gdb');
  /** A second address for debuggers, with a stub of its own. */
  readonly gdb2 = join(this.folder, 'gdb2');
  readonly process: ChildProcess;
  errors = '';
  /** Where the inspect channel is served. */
  readonly inspectPath = join(this.folder, 'inspect');

  private constructor(args: readonly string[]) {
    const sockets = [
      '--gdb',
      `unix:${this.gdb}`,
      '--gdb',
      `unix:${this.gdb2}`,
      '--inspect',
      `unix:${this.inspectPath}`,
    ];
    this.process = spawn(process.execPath, [program, 'run', ...args, ...sockets, '--wait', '--lifeline'], {
      stdio: ['pipe', 'inherit', 'pipe'],
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
  }

  static async start(args: readonly string[] = [sampleKernel]): Promise<RunningCore> {
    const core = new RunningCore(args);
    // The last socket that it makes.
    while (!(await answers(core.inspectPath))) {
      if (core.process.exitCode !== null) throw new Error(`the core ended: ${core.errors}`);
      await delay(20);
    }
    return core;
  }

  async inspect(): Promise<MessageConnection> {
    const socket = connect(this.inspectPath);
    await once(socket, 'connect');
    const connection = createMessageConnection(socket, socket);
    connection.listen();
    return connection;
  }

  /** Lets the lifeline go; the exit status and the names of sockets that were left behind. */
  async end(): Promise<{ status: number | null; left: string[] }> {
    const closed = this.process.exitCode === null ? once(this.process, 'close') : Promise.resolve();
    this.process.stdin?.end();
    await closed;
    const left = readdirSync(this.folder);
    rmSync(this.folder, { recursive: true });
    return { status: this.process.exitCode, left };
  }
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Runs `body` with a fresh core, which is gone afterwards with everything it made. */
export async function withCore(body: (core: RunningCore) => Promise<void>, args?: readonly string[]): Promise<void> {
  const core = await RunningCore.start(args);
  try {
    await body(core);
  } finally {
    await core.end();
  }
}
