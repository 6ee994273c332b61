/** Entry point of the worker thread that runs one vCPU (dist/vcpu.js). It sleeps on its mailbox between runs. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ExitView } from '../kvm/exit-view.ts';
import { KickReceiver, kick } from '../kvm/kick.ts';
import { RunPage } from '../kvm/run-page.ts';
import { KvmVcpu } from '../kvm/vcpu.ts';
import type { GuestEnd } from '../protocol/inspect.ts';
import { AgentVariables } from './agent-context.ts';
import { attachDevices } from './attach-devices.ts';
import { BiosServer } from './bios-server.ts';
import { CallRecorder } from './call-recorder.ts';
import type { DebugPlan } from './debug-plan.ts';
import { ExitMemory } from './exit-memory.ts';
import { ExitRecorder } from './exit-recorder.ts';
import { RamFile } from './guest-ram.ts';
import { Halts } from './halts.ts';
import { HypercallServer } from './hypercall-server.ts';
import { hypercallRing, hypercallState } from './hypercall-trace.ts';
import { Interpreter } from './interpreter/interpreter.ts';
import { Mailbox } from './mailbox.ts';
import { RamAtomics } from './ram-atomics.ts';
import { Rendezvous } from './rendezvous.ts';
import { mailboxOffset, runPageOffset, type WorkerSetup } from './shared.ts';
import { VcpuDebug } from './vcpu-debug.ts';
import { VcpuLoop } from './vcpu-loop.ts';
import type { WorkerMessage } from './vcpu-report.ts';

/** Milliseconds between two looks at the mailbox by a vCPU that nobody kicks: the safety net under the kick. */
const HEARTBEAT = 20;

function main(setup: WorkerSetup, port: MessagePort): void {
  /** Messages that were sent since the last order. */
  let sent = 0;
  const send = (message: WorkerMessage) => {
    sent++;
    port.postMessage(message);
  };
  const { index } = setup;
  const mailbox = new Mailbox(setup.mailboxes, mailboxOffset(index));
  const page = new RunPage(setup.runPages, runPageOffset(index), setup.runBytes);
  page.sync(false);
  const kicks = new KickReceiver(setup.vcpuFd, HEARTBEAT);
  try {
    const vcpu = new KvmVcpu(setup.vcpuFd, index);
    const ram = new RamFile(setup.ramFd, setup, setup.ramWritten);
    const atomics = new RamAtomics(ram);
    const events = {
      transmitted: () => send({ type: 'console' }),
      work: () => send({ type: 'work' }),
      ended: (end: GuestEnd) => loop.end(end),
    };
    const { ports, consoles, clock, interrupts } = attachDevices(setup, events);
    const [console] = consoles;
    const ring = hypercallRing(setup.hypercalls);
    const hypercalls = new HypercallServer({
      ...{ vcpu, page, ram, atomics, clock, console, events },
      personality: setup.personality,
      ring,
      state: hypercallState(setup.hypercalls),
      lock: ports.lock,
      vmFd: setup.vmFd,
      interrupts,
      cpus: setup.cpus,
    });
    const lock = ports.lock;
    const bios = setup.bios ? new BiosServer({ vcpu, page, ram, clock, console, lock, events }) : undefined;
    const rendezvous = new Rendezvous(setup.rendezvous, () => kickOthers(setup));
    const debug = new VcpuDebug({
      ...{ vcpu, page, ram, atomics, rendezvous, strategy: setup.strategy, lock: ports.lock },
      variables: new AgentVariables(setup.variables),
      print: (text) => send({ type: 'printed', text }),
      recorder: (memory) => new CallRecorder({ vcpu: index, clock, ring, memory }),
    });
    const exits = new ExitRecorder(
      new ExitView(setup.runPages, runPageOffset(index), setup.runBytes),
      new ExitMemory(setup.exits, index),
    );
    const alone = (body: () => void) => rendezvous.alone(body);
    const { emulatedSupervisor } = setup.strategy;
    const interpreter = emulatedSupervisor ? new Interpreter({ vcpu, page, ram, alone }) : undefined;
    const halts = emulatedSupervisor ? new Halts({ vcpu, page, atomics }) : undefined;
    const servers = { ports, hypercalls, bios, interpreter, halts };
    const loop = new VcpuLoop({ vcpu, page, mailbox, kicks, ...servers, ram, debug, rendezvous, exits });
    mailbox.tid = kicks.tid;
    send({ type: 'ready' });
    for (let order = mailbox.nextOrder(); order; order = mailbox.nextOrder()) {
      sent = 0;
      debug.begin(order, newestPlan(port));
      exits.begin(clock.now());
      const report = loop.run(order);
      exits.parked();
      if (report.kind === 'end') debug.ended();
      // What was said on the way comes first.
      const known = report.kind === 'stepped' && sent === 0 && mailbox.stepped();
      if (!known) send({ type: 'parked', report });
    }
    atomics.close();
  } finally {
    mailbox.tid = 0;
    kicks.dispose();
  }
}

/** What has been sent since the last order. Messages are fetched, because the worker's event loop never turns. */
function newestPlan(port: MessagePort): DebugPlan | undefined {
  let newest: DebugPlan | undefined;
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) newest = next.message;
  return newest;
}

/** Makes all other vCPUs leave the guest, as a request to stop does, but without one. */
function kickOthers({ index: own, cpus, mailboxes, runPages, runBytes }: WorkerSetup): void {
  for (let index = 0; index < cpus; index++) {
    const { tid } = new Mailbox(mailboxes, mailboxOffset(index));
    if (index === own || tid === 0) continue;
    new RunPage(runPages, runPageOffset(index), runBytes).immediateExit = true;
    kick(tid);
  }
}

if (parentPort) main(workerData, parentPort);
