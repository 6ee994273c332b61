/** A guest that somebody else started: any GDB stub, and its monitor where it has one. */
import type { Socket } from 'node:net';
import { coreHost, openInspect } from './core-target.ts';
import { inspectOverMonitor, type Monitor, readSystemRegisters } from './monitor/monitor-inspect.ts';
import { QmpClient } from './qmp-client.ts';
import { RspTarget, type StubHost } from './rsp-target.ts';
import { ShutdownWatch } from './shutdown-watch.ts';
import { addressText, connectTo, type StubAddress } from './stub-address.ts';
import { type Target, TargetError } from './target.ts';

export interface AttachOptions {
  readonly target: StubAddress;
  /** QEMU's machine protocol; without, the stub's own `monitor` commands are used where it has them. */
  readonly qmp?: StubAddress;
  /** The inspect socket of a core of ours (`ringside run --inspect`), which then shows all that it has. */
  readonly inspect?: StubAddress;
}

/** Connects, which stops the guest. Throws `TargetError` that names the attribute. */
export async function attachToStub(options: AttachOptions): Promise<Target> {
  const name = `the GDB stub at ${addressText(options.target)}`;
  // What was opened is given back in the end, and when the next cannot be opened.
  const opened: { dispose(): void }[] = [];
  const release = async () => {
    for (const one of opened) one.dispose();
  };
  try {
    if (options.inspect) {
      const inspect = openInspect(await reach('inspect', options.inspect, 'inspect socket'));
      opened.push(inspect);
      return await RspTarget.connect(name, await reach('target', options.target, 'GDB stub'), {
        ...coreHost(inspect),
        release,
      });
    }
    const qmp = options.qmp && (await QmpClient.open(await reach('qmp', options.qmp, 'QMP server')));
    if (qmp) opened.push({ dispose: () => qmp.close() });
    const monitor: Monitor = (command) => (qmp ?? stub).monitor(command);
    const inspect = inspectOverMonitor({ name, monitor });
    opened.push(inspect);
    const stub: RspTarget = await RspTarget.connect(name, await reach('target', options.target, 'GDB stub'), {
      inspect,
      monitored: qmp !== undefined,
      systemRegisters: async (thread) => (qmp || stub.hasMonitor ? readSystemRegisters(monitor, thread) : new Map()),
      ...(qmp ? shutdownHooks(new ShutdownWatch(qmp)) : {}),
      release,
    });
    return stub;
  } catch (error) {
    await release();
    throw error;
  }
}

const shutdownHooks = (watch: ShutdownWatch): StubHost => ({
  judgeStop: (stop) => watch.judge(stop),
  ended: () => watch.end,
});

async function reach(attribute: string, address: StubAddress, what: string): Promise<Socket> {
  return connectTo(address, what).catch((error: Error) => {
    throw new TargetError(`"${attribute}": ${error.message}`);
  });
}
