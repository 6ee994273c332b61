/** Going back to a snapshot of a guest of 512 MiB that is mostly empty, beside QEMU's loadvm on the same host. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jumpBack } from '../core/run-control-kit.ts';
import { CODE, imm32, Session } from '../core/tiny-guest.ts';
import { sampleByMultiboot } from './guests.ts';
import { milliseconds, printTable, summary, usable } from './table.ts';

const MEMORY = 512 << 20;
const TURNS = 20;
/** Pages that the guest writes between two restores. */
const WRITTEN = [0, 400, 8000] as const;

/** Writes a byte to each of RCX pages from RDI on, and comes by its first instruction again. */
const touching = [0xc6, 0x07, 0x55, 0x48, 0x81, 0xc7, ...imm32(4096), 0xff, 0xc9, 0x75, 0xf2, 0x90];
const guest = { code: [...touching, ...jumpBack(touching.length)], at1GiB: 0x83n };

async function ours(pages: number): Promise<{ readonly take: number[]; readonly restore: number[] }> {
  const session = await Session.start(guest, { memory: MEMORY });
  const { snapshots } = session.machine;
  const times = { take: [] as number[], restore: [] as number[] };
  try {
    session.machine.insertBreakpoint('software', CODE + BigInt(touching.length) - 1n, 1);
    await snapshots.take('base');
    for (let turn = 0; turn < TURNS; turn++) {
      if (pages > 0) {
        // The 2 MiB at 1 GiB are mapped to the same RAM by one large page after the other.
        for (let done = 0; done < pages; done += 512) await touch(session, done, Math.min(512, pages - done));
      }
      times.restore.push(await milliseconds(() => snapshots.restore('base')));
      await session.next();
      times.take.push(await milliseconds(() => snapshots.take('again')));
    }
    return times;
  } finally {
    await session.machine.close();
  }
}

/** Has the guest write `count` pages from the one with this number above 4 MiB, through the mapping at 1 GiB. */
async function touch(session: Session, first: number, count: number): Promise<void> {
  const LARGE_WRITABLE = 0x83n;
  const gpa = 0x40_0000n + BigInt(first) * 4096n;
  session.machine.memory.write(0x4000n, new Uint8Array(BigUint64Array.of(gpa | LARGE_WRITABLE).buffer));
  session.setRegister('rip', CODE);
  session.setRegister('rdi', 0x4000_0000n);
  session.setRegister('rcx', BigInt(count));
  // The mapping has changed under the processor.
  session.setRegister('cr3', session.register('cr3'));
  await session.go();
}

/** QEMU's human monitor over a socket: a command, and what comes until the next prompt. */
async function ask(monitor: Socket, command: string): Promise<string> {
  let said = '';
  const answered = new Promise<void>((resolve) => {
    const listen = (chunk: Buffer) => {
      said += chunk.toString();
      if (!said.endsWith('(qemu) ')) return;
      monitor.off('data', listen);
      resolve();
    };
    monitor.on('data', listen);
  });
  if (command) monitor.write(`${command}\n`);
  await answered;
  return said;
}

async function qemu(accelerator: string, folder: string, kernel: string): Promise<number[]> {
  const [disk, path] = [join(folder, `${accelerator}.qcow2`), join(folder, `${accelerator}.monitor`)];
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '1G']);
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', accelerator, '-m', '512', '-display', 'none', '-serial', 'null', '-net', 'none', '-kernel', kernel],
      ...['-drive', `file=${disk},if=virtio,format=qcow2`, '-monitor', `unix:${path},server=on,wait=on`],
    ],
    { stdio: 'ignore' },
  );
  try {
    let monitor = connect(path);
    while (
      !(await once(monitor, 'connect').then(
        () => true,
        () => false,
      ))
    ) {
      await delay(20);
      monitor = connect(path);
    }
    await ask(monitor, '');
    await delay(500);
    for (const command of ['stop', 'savevm base']) await ask(monitor, command);
    const times: number[] = [];
    for (let turn = 0; turn < TURNS; turn++) times.push(await milliseconds(() => ask(monitor, 'loadvm base')));
    await ask(monitor, 'cont');
    monitor.destroy();
    return times;
  } finally {
    child.kill();
    await once(child, 'exit');
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-bench-'));
  try {
    const kernel = sampleByMultiboot(folder);
    const rows: string[][] = [['', 'go back', 'take another']];
    let idle = Number.NaN;
    for (const pages of WRITTEN) {
      const { take, restore } = await ours(pages);
      if (pages === 0) idle = summary(restore).median;
      rows.push([`Ringside, ${pages} pages written meanwhile`, summary(restore).text, summary(take).text]);
    }
    for (const accelerator of usable('/dev/kvm') ? ['kvm', 'tcg'] : ['tcg']) {
      const { median, text } = summary(await qemu(accelerator, folder, kernel));
      rows.push([`QEMU with ${accelerator}, paused meanwhile`, text, `${(median / idle).toFixed(1)} times ours, idle`]);
    }
    printTable(`A guest of 512 MiB, milliseconds: median (least to most) of ${TURNS}`, rows);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
