// A machine with real hardware virtualization, emulated, that runs a command in a copy of a directory:
//   svm  kvm-amd with nested paging: Debian's cloud kernel in QEMU (TCG), two processors. Fast.
//   vmx  kvm-intel with EPT: the same kernel in Bochs, one processor. Slow, but exits are those of hardware.
// Inside: node, busybox, /dev/kvm, the copy at /project, /tmp and /dev/shm as tmpfs.
//   node test/hosts/kvm-host.mjs [-k svm|vmx] [-m MEBIBYTES] [-t SECONDS] DIRECTORY COMMAND...
// Prints what the command prints and ends with its status, 124 when the time ran out.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBochs } from './bochs.mjs';
import { makeInitramfs } from './initramfs.mjs';
import { hostKernel } from './kernel.mjs';

const kernelParameters = 'console=ttyS0 quiet nokaslr panic=-1 mitigations=off tsc=reliable no_timer_check';
const ready = 'kvm-host: ready';
const ended = /^kvm-host: exit (\d+)/;

/** QEMU prints the serial port on its own standard output, and on standard error what its TCG lacks of the model. */
function startQemu({ scratch, kernel, initramfs, memory }) {
  const log = openSync(join(scratch, 'log'), 'w');
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'EPYC,+svm', '-smp', '2', '-m', String(memory)],
      ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
      ...['-kernel', kernel, '-initrd', initramfs, '-append', kernelParameters],
    ],
    { stdio: ['ignore', 'pipe', log], detached: true },
  );
  closeSync(log);
  return machine;
}

/** Lines of a console, without carriage returns, until it is closed. */
async function* linesOf(stream) {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk.toString('latin1').replaceAll('\r', '')).split('\n');
    rest = lines.pop();
    yield* lines;
  }
  if (rest) yield rest;
}

/** Hands the command's lines on and returns its status; undefined when the machine ended before the command did. */
async function followCommand(console_, onLine) {
  let started = false;
  for await (const line of linesOf(console_)) {
    const end = ended.exec(line);
    if (end) return Number(end[1]);
    if (started) onLine(line);
    if (line.includes(ready)) started = true;
  }
  return undefined;
}

/**
 * Runs `command`, a shell line, on a machine of `kind` and returns its status.
 * @param {{ kind: 'svm' | 'vmx', directory: string, command: string, memory?: number, seconds?: number,
 *   onLine: (line: string) => void }} options
 */
export async function runOnHost({ kind, directory, command, memory = 2048, seconds = 300, onLine }) {
  const scratch = mkdtempSync(join(tmpdir(), `kvm-host-${kind}-`));
  const host = hostKernel();
  const initramfs = makeInitramfs({ scratch, directory, command, modules: host.modules });
  const start = kind === 'vmx' ? startBochs : startQemu;
  const machine = start({ scratch, kernel: host.kernel, initramfs, memory, kernelParameters });
  const stop = () => {
    try {
      process.kill(-machine.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  };
  process.once('exit', stop);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, seconds * 1000);
  try {
    const status = await followCommand(machine.stdout, onLine);
    if (status !== undefined) return status;
    if (timedOut) return 124;
    throw new Error(
      `the ${kind} machine ended before the command did: ${readFileSync(join(scratch, 'log'), 'latin1')}`,
    );
  } finally {
    clearTimeout(timer);
    stop();
    process.removeListener('exit', stop);
    rmSync(scratch, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // A signal's default is to end without the `exit` event, and the machine would stay.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      kind: { type: 'string', short: 'k', default: 'svm' },
      memory: { type: 'string', short: 'm', default: '2048' },
      seconds: { type: 'string', short: 't', default: '300' },
    },
  });
  const [directory, ...command] = positionals;
  if (!['svm', 'vmx'].includes(values.kind) || !directory || command.length === 0) {
    console.error('usage: kvm-host.mjs [-k svm|vmx] [-m MEBIBYTES] [-t SECONDS] DIRECTORY COMMAND...');
    process.exitCode = 2;
  } else {
    process.exitCode = await runOnHost({
      kind: values.kind,
      directory: resolve(directory),
      command: command.join(' '),
      memory: Number(values.memory),
      seconds: Number(values.seconds),
      onLine: (line) => console.log(line),
    });
  }
}
