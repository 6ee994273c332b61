/** Entry point of the worker thread that runs one vCPU (dist/vcpu.js). It sleeps on its mailbox between runs. */
import { parentPort, workerData } from 'node:worker_threads';
import { KickReceiver } from '../kvm/kick.ts';
import { RunPage } from '../kvm/run-page.ts';
import { KvmVcpu } from '../kvm/vcpu.ts';
import type { GuestEnd } from '../protocol/inspect.ts';
import { attachDevices } from './attach-devices.ts';
import { DebugTable } from './debug-table.ts';
import { RamFile } from './guest-ram.ts';
import { HypercallServer } from './hypercall-server.ts';
import { hypercallMsrState, hypercallRing } from './hypercall-trace.ts';
import { Mailbox } from './mailbox.ts';
import { mailboxOffset, runPageOffset, type WorkerSetup } from './shared.ts';
import { VcpuLoop } from './vcpu-loop.ts';
import type { WorkerMessage } from './vcpu-report.ts';

/** Milliseconds between two looks at the mailbox by a vCPU that nobody kicks: the safety net under the kick. */
const HEARTBEAT = 20;

function main(setup: WorkerSetup, send: (message: WorkerMessage) => void): void {
  const { index } = setup;
  const mailbox = new Mailbox(setup.mailboxes, mailboxOffset(index));
  const page = new RunPage(setup.runPages, runPageOffset(index), setup.runBytes);
  page.syncRegisters();
  const kicks = new KickReceiver(setup.vcpuFd, HEARTBEAT);
  try {
    const vcpu = new KvmVcpu(setup.vcpuFd, index);
    const ram = new RamFile(setup.ramFd, setup.ramSize, setup.ramWritten);
    const events = {
      transmitted: () => send({ type: 'console' }),
      recorded: () => send({ type: 'hypercalls' }),
      ended: (end: GuestEnd) => loop.end(end),
    };
    const { ports, consoles, clock } = attachDevices(setup, events);
    const [console] = consoles;
    const hypercalls = new HypercallServer({
      ...{ vcpu, page, ram, clock, console, events },
      personality: setup.personality,
      ring: hypercallRing(setup.hypercalls),
      msrs: hypercallMsrState(setup.hypercalls),
      lock: ports.lock,
    });
    const debug = new DebugTable(setup.debug);
    const loop = new VcpuLoop({ vcpu, page, mailbox, kicks, ports, hypercalls, ram, debug });
    mailbox.tid = kicks.tid;
    send({ type: 'ready' });
    for (let order = mailbox.nextOrder(); order; order = mailbox.nextOrder()) {
      send({ type: 'parked', report: loop.run(order) });
    }
  } finally {
    mailbox.tid = 0;
    kicks.dispose();
  }
}

const port = parentPort;
if (port) main(workerData, (message) => port.postMessage(message));
