// A machine with real hardware virtualization, emulated, that runs a command:
//   svm  kvm-amd with nested paging: Debian's kernel in QEMU (TCG), one processor. Fast. It sees all files of this machine
//        and can write none of them, so whatever is installed here is there too. The command runs in DIRECTORY.
//   vmx  kvm-intel with EPT: Debian's cloud kernel in Bochs, one processor. Slow, but exits are those of hardware. Inside are
//        node, busybox and a copy of DIRECTORY, where the command runs.
//   node test/hosts/kvm-host.mjs [-k svm|vmx] [-m MEBIBYTES] [-t SECONDS] [-w WRITABLE] [-p PORT]... DIRECTORY COMMAND...
// -w, svm only: a directory that can be written; -p, svm only: a port of the machine that can be reached from here.
// Prints what the command prints and ends with its status, 124 when the time ran out, 125 when the machine itself went down:
// its kernel panicked, or has said nothing for minutes.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { startBochs } from './bochs.mjs';
import { copiedRoot, makeInitramfs, sharedRoot } from './initramfs.mjs';
import { debianKernel } from './kernel.mjs';
import { startQemu } from './qemu.mjs';

const kernelParameters = 'console=ttyS0 quiet nokaslr panic=-1 mitigations=off tsc=reliable no_timer_check';
const ready = 'kvm-host: ready';
const ended = /^kvm-host: exit (\d+)/;
const alive = 'kvm-host: alive';

/** The emulated machine, not what runs on it, went down. */
export class HostDown extends Error {}

/**
 * What makes each kind. `patience`: how many times slower than a real machine it may be. `silence`: seconds without a sign of
 * life, many times over, after which it has gone down; a second on Bochs' clock, which counts instructions, takes several. The
 * modules are those of one Debian release, in the order of their dependencies.
 */
const kinds = {
  svm: {
    metaPackage: 'linux-image-amd64',
    modules: [
      ...['virtio_ring', 'virtio', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci'],
      ...['9pnet', '9pnet_virtio', 'netfs', 'fscache', '9p', 'overlay', 'failover', 'net_failover', 'virtio_net'],
      ...['irqbypass', 'kvm', 'ccp', 'kvm-amd'],
    ],
    patience: 5,
    silence: 240,
    root: sharedRoot,
    start: startQemu,
  },
  vmx: {
    metaPackage: 'linux-image-cloud-amd64',
    modules: ['irqbypass', 'kvm', 'kvm-intel'],
    patience: 10,
    silence: 900,
    root: copiedRoot,
    start: startBochs,
  },
};

/** Lines of a console, without carriage returns, until it is closed. */
async function* linesOf(stream) {
  let rest = '';
  const decoder = new StringDecoder('utf8');
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk).replaceAll('\r', '')).split('\n');
    rest = lines.pop();
    yield* lines;
  }
  if (rest) yield rest;
}

/**
 * Hands the command's lines on and returns its status; undefined when the machine ended before the command did. `onSilence` is
 * called after `silence` seconds without a line.
 */
async function followCommand(console_, silence, onLine, onSilence) {
  let started = false;
  let timer;
  try {
    for await (const line of linesOf(console_)) {
      clearTimeout(timer);
      timer = setTimeout(onSilence, silence * 1000);
      if (line.includes(alive)) continue;
      const end = ended.exec(line);
      if (end) return Number(end[1]);
      if (started) onLine(line);
      if (line.includes(ready)) started = true;
    }
  } finally {
    clearTimeout(timer);
  }
  return undefined;
}

/**
 * Runs `command`, a shell line, on a machine of `kind` and returns its status.
 * @param {{ kind: 'svm' | 'vmx', directory: string, command: string, memory?: number, seconds?: number, writable?: string,
 *   ports?: readonly number[], onLine: (line: string) => void }} options
 */
export async function runOnHost({ kind, memory = 2048, seconds = 300, ports = [], onLine, ...wanted }) {
  const scratch = mkdtempSync(join(tmpdir(), `kvm-host-${kind}-`));
  const { metaPackage, modules: names, patience, silence, root, start } = kinds[kind];
  const { kernel, modules } = debianKernel(metaPackage, names);
  const initramfs = makeInitramfs({ scratch, modules, patience, root: root(wanted) });
  const { writable } = wanted;
  const machine = start({ scratch, kernel, initramfs, memory, kernelParameters, writable, ports });
  const stop = () => {
    try {
      process.kill(-machine.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  };
  process.once('exit', stop);
  let timedOut = false;
  let silent = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, seconds * 1000);
  try {
    const status = await followCommand(machine.stdout, silence, onLine, () => {
      silent = true;
      stop();
    });
    if (status !== undefined) return status;
    if (timedOut) return 124;
    if (silent) throw new HostDown(`the ${kind} machine has given no sign of life for ${silence} s`);
    const said = stripVTControlCharacters(readFileSync(join(scratch, 'log'), 'latin1')).slice(-2000);
    throw new HostDown(`the ${kind} machine ended before the command did: ${said}`);
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
      writable: { type: 'string', short: 'w' },
      port: { type: 'string', short: 'p', multiple: true, default: [] },
    },
  });
  const [directory, ...command] = positionals;
  if (!Object.hasOwn(kinds, values.kind) || !directory || command.length === 0) {
    console.error(
      'usage: kvm-host.mjs [-k svm|vmx] [-m MEBIBYTES] [-t SECONDS] [-w WRITABLE] [-p PORT]... DIRECTORY COMMAND...',
    );
    process.exitCode = 2;
  } else {
    const run = runOnHost({
      kind: values.kind,
      directory: resolve(directory),
      command: command.join(' '),
      memory: Number(values.memory),
      seconds: Number(values.seconds),
      ports: values.port.map(Number),
      ...(values.writable && { writable: resolve(values.writable) }),
      onLine: (line) => console.log(line),
    });
    process.exitCode = await run.catch((error) => {
      if (!(error instanceof HostDown)) throw error;
      console.error(error.message);
      return 125;
    });
  }
}
