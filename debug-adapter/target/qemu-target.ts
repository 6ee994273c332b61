/** A guest under a QEMU that we start, for machines without KVM: RSP for run control, QMP for the views, TCG for the rest. */
import { mkdtemp, rm } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineInfo } from '../../hypervisor-core/protocol/inspect.ts';
import type { CoreOptions } from './core-target.ts';
import { inspectOverMonitor, readSystemRegisters } from './monitor/monitor-inspect.ts';
import { qemuArguments, qemuSockets } from './qemu-arguments.ts';
import { QemuProcess } from './qemu-process.ts';
import { QemuSerial } from './qemu-serial.ts';
import { QmpClient } from './qmp-client.ts';
import { RspTarget } from './rsp-target.ts';
import { explainEnd, ShutdownWatch } from './shutdown-watch.ts';
import type { Target } from './target.ts';

/** Starts QEMU and leaves its guest at the first instruction of the firmware. Throws `TargetError` with QEMU's words. */
export async function startQemu(options: CoreOptions): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-'));
  const sockets = qemuSockets(folder);
  let qemu: QemuProcess | undefined;
  try {
    const started = new QemuProcess(await qemuArguments(options, folder));
    qemu = started;
    const rsp = await started.connect(sockets.gdb);
    const qmp = await QmpClient.open(await started.connect(sockets.qmp));
    const serial = new QemuSerial(await started.connect(sockets.serial));
    const watch = new ShutdownWatch(qmp);
    const monitor = (command: string) => qmp.monitor(command);
    const info = machineInfo(options, started.pid, await qmp.execute('query-version'));
    const inspect = inspectOverMonitor({ name: 'QEMU', monitor, serial, info });
    return await RspTarget.connect('QEMU', rsp, {
      inspect,
      monitored: true,
      systemRegisters: (thread) => readSystemRegisters(monitor, thread),
      judgeStop: (stop) => watch.judge(stop),
      ended: () => watch.end,
      explainLoss: (reason) => explainEnd(started, reason),
      release: async () => {
        inspect.dispose();
        qmp.close();
        await started.end();
      },
    });
  } catch (error) {
    await qemu?.end();
    throw error;
  } finally {
    // All sockets are connected by now: their names are of no more use, and must not outlive a killed adapter.
    await rm(folder, { recursive: true, force: true });
  }
}

function machineInfo({ program, cpus, memory }: CoreOptions, pid: number, version: unknown): MachineInfo {
  const { major, minor, micro } = (version as { qemu?: Partial<Record<string, number>> }).qemu ?? {};
  const host = { ok: true, module: 'QEMU TCG', kernel: release(), apiVersion: 0, trap: 'none', facts: [] } as const;
  return {
    version: `QEMU ${major}.${minor}.${micro}`,
    pid,
    program,
    bootProtocol: 'by QEMU',
    cpus,
    memory,
    personality: 'none',
    callSites: 0,
    host,
  };
}
