/**
 * Our own core as a child process: RSP for run control, inspect for the rest. The child's standard input is its
 * lifeline: it ends when that closes, so an adapter that is killed leaves nothing behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { inspect, type Personality } from '../../hypervisor-core/protocol/inspect.ts';
import { CORE_PROGRAM } from './own-core.ts';
import { RspTarget, type StubHost } from './rsp-target.ts';
import { type Target, TargetError } from './target.ts';

export interface CoreOptions {
  readonly program: string;
  /** Is started with, instead of `program`. */
  readonly firmware?: string;
  /** Bytes. */
  readonly memory: number;
  readonly cpus: number;
  readonly commandLine: string;
  readonly initrd?: string;
  /** As `ringside run --module` takes them. */
  readonly modules: readonly string[];
  /** As `ringside run --boot` takes it. */
  readonly boot: string;
  readonly disk?: string;
  /** The guest's writes go to the disk's file. */
  readonly persist: boolean;
  readonly personality: Personality | 'auto';
  /** As `ringside run --framebuffer` takes it. */
  readonly framebuffer?: string;
  /** As `ringside run --cpu` takes it; empty: as the host has it. */
  readonly cpu: string;
  /** A second address, where another gdb may connect. */
  readonly gdb?: string;
}

/** Characters of the core's last words that are kept. */
const LONGEST_TAIL = 4096;
const PATIENCE = { start: 60_000, end: 3_000, explain: 1_000 } as const;
const RETRY = 5;

/** Starts a core and leaves its guest at the first instruction. Throws `TargetError` with the core's own words. */
export async function startCore(options: CoreOptions): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-'));
  const core = new CoreProcess(options, folder);
  try {
    const rsp = await core.connect(join(folder, 'gdb.sock'));
    const connection = openInspect(await core.connect(join(folder, 'inspect.sock')));
    return await RspTarget.connect('Ringside core', rsp, {
      ...coreHost(connection),
      countsForUs: true,
      explainLoss: (reason) => core.explain(reason),
      release: async () => {
        connection.dispose();
        await core.end();
      },
    });
  } catch (error) {
    const started = core.alive;
    await core.end();
    if (started && error instanceof TargetError) throw error;
    throw new TargetError(core.words || (error instanceof Error ? error.message : String(error)));
  } finally {
    // Both sockets are connected by now: their names are of no more use, and must not outlive a killed adapter.
    await rm(folder, { recursive: true, force: true });
  }
}

/** What holds for every core of ours, whoever started it. */
export const coreHost = (connection: MessageConnection): StubHost => ({
  inspect: connection,
  leavesTraps: true,
  readPhysical: (address, length) => readPhysical(connection, address, length),
  writePhysical: (address, data) => writePhysical(connection, address, data),
});

class CoreProcess {
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;
  private tail = '';

  constructor(options: CoreOptions, folder: string) {
    this.child = spawn(process.execPath, [CORE_PROGRAM, 'run', ...coreArguments(options, folder)], {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    });
    this.ended = once(this.child, 'close').catch((error: Error) => {
      this.tail += error.message;
    });
    this.child.stdin?.on('error', () => undefined);
    this.child.stderr?.setEncoding('utf8');
    this.child.stderr?.on('data', (text: string) => {
      this.tail = (this.tail + text).slice(-LONGEST_TAIL);
    });
  }

  get alive(): boolean {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** What the core last said on standard error. */
  get words(): string {
    return this.tail.trim().replace(/^ringside: /, '');
  }

  /** Connects to a socket that the core is about to make. */
  async connect(path: string): Promise<Socket> {
    const deadline = Date.now() + PATIENCE.start;
    for (;;) {
      const socket = connect(path);
      try {
        await once(socket, 'connect');
        return socket;
      } catch (error) {
        socket.destroy();
        if (!this.alive) {
          await this.ended;
          throw error;
        }
        if (Date.now() > deadline) throw new TargetError('the core does not answer');
      }
      await delay(RETRY);
    }
  }

  /** One sentence on how the core came to its end, or why its connection was given up, and its last words. */
  async explain(reason: string): Promise<string> {
    await Promise.race([this.ended, delay(PATIENCE.explain, undefined, { ref: false })]);
    const { exitCode, signalCode } = this.child;
    const how = signalCode
      ? `the hypervisor core was killed by ${signalCode} (signal ${constants.signals[signalCode]}).`
      : exitCode !== null
        ? `the hypervisor core ended with status ${exitCode}.`
        : `the hypervisor core does not answer (${reason}); end the session and start it again.`;
    return this.words === '' ? how : `${how} Its last words: ${this.words}`;
  }

  async end(): Promise<void> {
    this.child.stdin?.destroy();
    const late = delay(PATIENCE.end, 'late' as const, { ref: false });
    if ((await Promise.race([this.ended, late])) === 'late') this.child.kill('SIGKILL');
    await this.ended;
  }
}

function coreArguments(options: CoreOptions, folder: string): readonly string[] {
  return [
    ...(options.firmware === undefined ? [options.program] : ['--firmware', options.firmware]),
    ...['--memory', String(options.memory), '--cpus', String(options.cpus)],
    ...['--gdb', `unix:${join(folder, 'gdb.sock')}`, '--inspect', `unix:${join(folder, 'inspect.sock')}`],
    ...['--wait', '--lifeline'],
    ...(options.commandLine === '' ? [] : ['--append', options.commandLine]),
    ...(options.initrd === undefined ? [] : ['--initrd', options.initrd]),
    ...options.modules.flatMap((module) => ['--module', module]),
    ...(options.boot === 'auto' ? [] : ['--boot', options.boot]),
    ...(options.disk === undefined ? [] : ['--disk', `${options.disk}${options.persist ? ',persist' : ''}`]),
    ...(options.framebuffer === undefined ? [] : ['--framebuffer', options.framebuffer]),
    ...(options.cpu === '' ? [] : [`--cpu=${options.cpu}`]),
    ...(options.personality === 'auto' ? [] : ['--personality', options.personality]),
    ...(options.gdb === undefined ? [] : ['--gdb', options.gdb]),
  ];
}

/** A connection on which a core answers the inspect contract. */
export function openInspect(socket: Socket): MessageConnection {
  const connection = createMessageConnection(new StreamMessageReader(socket), new StreamMessageWriter(socket));
  // The RSP connection tells of a lost core; here it would only be an unhandled error.
  connection.onError(() => undefined);
  connection.onClose(() => connection.dispose());
  connection.listen();
  return connection;
}

/** Bytes that the core moves in one request. */
const MOST_AT_ONCE = 1 << 20;

async function readPhysical(connection: MessageConnection, address: bigint, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let done = 0; done < length; ) {
    const ask = Math.min(length - done, MOST_AT_ONCE);
    const { data } = await connection.sendRequest(inspect.readPhysical, {
      address: hex(address + BigInt(done)),
      length: ask,
    });
    const part = Buffer.from(data, 'base64');
    parts.push(part);
    done += part.length;
    if (part.length < ask) break;
  }
  return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts);
}

async function writePhysical(connection: MessageConnection, address: bigint, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += MOST_AT_ONCE) {
    const data = Buffer.from(bytes.subarray(at, at + MOST_AT_ONCE)).toString('base64');
    await connection.sendRequest(inspect.writePhysical, { address: hex(address + BigInt(at)), data });
  }
}
