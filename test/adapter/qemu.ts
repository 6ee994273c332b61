/** The adapter over QEMU's stub, in this process: what it shows of any guest under any stub. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { areas } from '../../debug-adapter/session/areas.ts';
import { DapServer } from '../../debug-adapter/session/server.ts';
import { RspTarget } from '../../debug-adapter/target/rsp-target.ts';
import type { Adapter } from './driving.ts';

/** Why these tests cannot run here; false when they can. */
export const noQemu: string | false =
  spawnSync('qemu-system-x86_64', ['--version']).status === 0 ? false : 'qemu-system-x86_64 is not installed';

async function connectTo(path: string, child: ChildProcess): Promise<Socket> {
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

/** A client of an adapter whose guests run under QEMU's TCG. */
export function qemuAdapter(): Adapter {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-qemu-'));
  const children: ChildProcess[] = [];
  const toAdapter = new PassThrough();
  const fromAdapter = new PassThrough();
  const server = new DapServer(areas, async ({ program, memory, cpus }) => {
    const path = join(folder, `gdb${children.length}.sock`);
    const child = spawn(
      'qemu-system-x86_64',
      [
        ...['-accel', 'tcg', '-display', 'none', '-monitor', 'none', '-serial', 'null', '-no-reboot', '-net', 'none'],
        ...['-m', `${memory >> 20}`, '-smp', String(cpus), '-kernel', program, '-S'],
        ...['-chardev', `socket,path=${path},server=on,wait=off,id=gdb`, '-gdb', 'chardev:gdb'],
        ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    children.push(child);
    return RspTarget.connect('QEMU', await connectTo(path, child));
  });
  server.start(toAdapter, fromAdapter);
  return {
    client: new DapClient(fromAdapter, toAdapter),
    close: async () => {
      await server.close();
      for (const child of children) {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
