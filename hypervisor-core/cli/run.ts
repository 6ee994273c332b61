/** `ringside run`: a guest from its first instruction to the last trace of it. */
import { InspectServer } from '../inspect/server.ts';
import type { Disposable, Machine } from '../machine/api.ts';
import { createMachine } from '../machine/machine.ts';
import { restoreMachine } from '../machine/restored-machine.ts';
import { faultMessage } from '../stub/stop-reply.ts';
import { Stub } from '../stub/stub.ts';
import { recordConsole } from './console-file.ts';
import { isLocal, listen } from './endpoint.ts';
import { Finish } from './finish.ts';
import type { RunOptions } from './run-options.ts';
import { attachTerminal } from './terminal.ts';

const say = (line: string) => void process.stderr.write(`ringside: ${line}\n`);

/** Boots the guest, serves it, and resolves with the exit status when nothing of it is left. */
export async function run(options: RunOptions): Promise<number> {
  // Sockets are for this user alone.
  process.umask(0o077);
  const closing: (() => unknown)[] = [];
  process.on('uncaughtException', crash);
  try {
    return await serve(options, closing);
  } finally {
    for (const close of closing.reverse()) await close();
    process.off('uncaughtException', crash);
  }
}

/** What has to be given back is put on `closing`, newest last. */
async function serve(options: RunOptions, closing: (() => unknown)[]): Promise<number> {
  const { machine: wanted } = options;
  const machine = 'restore' in wanted ? await restoreMachine(wanted.restore, wanted.disk) : await createMachine(wanted);
  closing.push(() => machine.close());
  for (const { option, log, path } of records(options, machine)) {
    const file = await recordConsole(option, log, path);
    closing.push(() => file.close());
  }
  const finish = new Finish(machine, { withGuest: !options.lifeline, say });
  closing.push(() => finish.dispose());
  // Each address has a stub of its own, so that another debugger can join the one that drives the core.
  const stubs: Stub[] = [];
  for (const endpoint of options.gdb) {
    const stub = new Stub(machine);
    const server = await listen('--gdb', endpoint, (socket) => stub.accept(socket));
    closing.push(() => stub.close());
    closing.push(() => server.close());
    stubs.push(stub);
    if (!isLocal(endpoint)) say(`whoever can reach ${endpoint.text} controls this guest`);
  }
  const inspector = new InspectServer(machine, () => finish.now(0));
  closing.push(() => inspector.close());
  for (const endpoint of options.inspect) {
    const server = await listen('--inspect', endpoint, (socket) => inspector.accept(socket));
    closing.push(() => server.close());
  }
  if (options.lifeline) holdLifeline(() => finish.now(0));
  else {
    const terminal = attachTerminal(machine, process.stdin, process.stdout, () => finish.now(0));
    closing.push(() => terminal.dispose());
    const faults = reportFaults(machine, stubs);
    closing.push(() => faults.dispose());
  }
  if (!options.wait) resumeAll(machine);
  return await finish.status;
}

/** What is kept in files of what the guest prints, and the options that say so. */
function records({ serialFiles, firmwareLog }: RunOptions, { serialPorts, firmwareLog: log }: Machine) {
  const serial = serialFiles.flatMap(({ port, path }) => {
    const console = serialPorts[port - 1];
    return console ? [{ option: `--serial${port}`, log: console, path }] : [];
  });
  return [...serial, ...(firmwareLog === undefined ? [] : [{ option: '--firmware-log', log, path: firmwareLog }])];
}

function resumeAll(machine: Machine): void {
  machine.resume(machine.vcpus.map(({ index }) => ({ vcpu: index, action: { kind: 'continue' } })));
}

/** Standard input closes when the program that holds its other end is gone, however that came about. */
function holdLifeline(onLost: () => void): void {
  for (const event of ['end', 'close', 'error']) process.stdin.once(event, onLost);
  process.stdin.resume();
}

/** A fault stops the guest for a debugger. Where none can come, the guest goes on to its end. */
function reportFaults(machine: Machine, stubs: readonly Stub[]): Disposable {
  return machine.onStop((stop) => {
    const message = faultMessage(stop);
    if (message === undefined || stubs.some(({ taken }) => taken)) return;
    if (stubs.length === 0) resumeAll(machine);
    else say(`${message} The guest stands still for a debugger; Ctrl-A X ends it.`);
  });
}

/** A vCPU inside KVM_RUN would hold up an orderly exit for ever. */
function crash(error: unknown): void {
  if (process.stdin.isTTY) process.stdin.setRawMode(false);
  say(`internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.kill(process.pid, 'SIGKILL');
}
