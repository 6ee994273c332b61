/** The real adapter that attaches to a guest which runs already: under a QEMU of the test, perhaps behind a proxy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { coreAdapter } from '../adapter/core-adapter.ts';
import type { Adapter } from '../adapter/driving.ts';
import { listenOnce } from './rsp-proxy.ts';

/** Stands between adapter and stub: gets both ends. */
export type Between = (adapter: Socket, stub: Socket) => void;

/** Where a QEMU of a test listens. */
export interface QemuSockets {
  readonly gdb: string;
  readonly qmp: string;
}

/** Starts a QEMU with its guest stopped at the first instruction. */
export function startQemu(folder: string, program: string, ...more: readonly string[]) {
  const sockets: QemuSockets = { gdb: join(folder, 'gdb.sock'), qmp: join(folder, 'qmp.sock') };
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-display', 'none', '-monitor', 'none', '-serial', 'null', '-no-reboot', '-net', 'none'],
      ...['-m', '64', '-kernel', program, '-S', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
      ...['-chardev', `socket,path=${sockets.gdb},server=on,wait=off,id=gdb`, '-gdb', 'chardev:gdb'],
      ...['-qmp', `unix:${sockets.qmp},server=on,wait=off`, ...more],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return { child, sockets };
}

export async function connectTo(path: string, child: ChildProcess): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (child.exitCode !== null) throw error;
      await delay(10);
    }
  }
}

export async function endChild(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

export function attachAdapter(between: Between): Adapter {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-attach-'));
  const adapter = coreAdapter();
  const children: ChildProcess[] = [];
  return {
    client: adapter.client,
    start: async ({ program, ...attributes }) => {
      const { child, sockets } = startQemu(folder, String(program));
      children.push(child);
      const stub = await connectTo(sockets.gdb, child);
      const path = join(folder, 'between.sock');
      await listenOnce(path, (client) => between(client, stub));
      return adapter.client.request('attach', { target: `unix:${path}`, program, ...attributes });
    },
    close: async () => {
      await adapter.close();
      for (const child of children) await endChild(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
