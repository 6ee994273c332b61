/** The command line of `ringside run`. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import type { DiskChoice } from '../devices/disk/open-disk.ts';
import type { MachineOptions } from '../machine/machine.ts';
import { BOOT_CHOICES, type BootChoice, FIRMWARE, parseBootChoice } from '../protocol/boot-choice.ts';
import { type CpuChanges, parseCpuChanges } from '../protocol/cpu-features.ts';
import { firmwareProblem } from '../protocol/firmware.ts';
import { parseResolution, RESOLUTIONS, type Resolution } from '../protocol/framebuffer.ts';
import type { Personality } from '../protocol/inspect.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { UsageError } from './usage-error.ts';

export interface RunOptions {
  /** A machine to be made, or the path of a snapshot to go on from and the image of its disk. */
  readonly machine: MachineOptions | { readonly restore: string; readonly disk?: DiskChoice };
  readonly gdb: readonly Endpoint[];
  readonly inspect: readonly Endpoint[];
  /** Where what the guest sends on COM2, COM3 and COM4 goes, beside the inspect channel. */
  readonly serialFiles: readonly { readonly port: 2 | 3 | 4; readonly path: string }[];
  /** Where what firmware says on port 0x402 goes. */
  readonly firmwareLog?: string;
  /** Start stopped, until a debugger lets the guest go. */
  readonly wait: boolean;
  /** Standard input is no console but a lifeline: the core ends when it closes, and not before. */
  readonly lifeline: boolean;
}

export const RUN_USAGE = `Usage: ringside run KERNEL [options]
       ringside run --firmware FILE [--disk FILE] [options]
       ringside run --restore FILE [--disk FILE] [options]

Boots a guest kernel on KVM. Its first serial port is this terminal: Ctrl-A X ends the guest, Ctrl-A H lists more.
The exit status is what the guest's debug-exit port gives ((value << 1) | 1, port 0xf4), or 0 at power-off.

  --append STRING       kernel command line
  --initrd FILE         initial RAM disk, or first module of a multiboot or PVH kernel
  --module "FILE WORDS" another module, with what the kernel is told about it; may be repeated
  --boot PROTOCOL       auto (by content, the default), elf32, elf64, multiboot1, multiboot2, linux, pvh, sector,
                        or flat16, flat32, flat64, which may name an address: flat32@0x100000
  --firmware FILE       start with this firmware (SeaBIOS), which boots the disk, instead of booting KERNEL
  --memory SIZE         guest RAM, e.g. 256M or 1G (default 256M)
  --cpus N              virtual CPUs (default 1)
  --disk FILE[,persist] raw disk image, a virtio block device; writes go to a throw-away overlay, or with
                        ",persist" to the file
  --framebuffer SIZE    a linear framebuffer, e.g. 1024x768, 32 bits a pixel, of which multiboot kernels and Linux are told
  --cpu CHANGES         processor features, named as in /proc/cpuinfo, to hide or expose: -smap,-smep,+popcnt
  --personality NAME    hypercall interface: none, kvm, xen or hyperv (default: what the kernel asks for)
  --gdb ADDRESS         serve gdb or lldb at unix:PATH, tcp:PORT (this machine only) or tcp:HOST:PORT; may be repeated
  --inspect ADDRESS     serve Ringside's inspect channel, likewise
  --serial2 FILE        write what the guest sends on COM2 to a file; likewise --serial3, --serial4
  --firmware-log FILE   write what firmware says on port 0x402 to a file
  --restore FILE        go on from a snapshot, instead of booting KERNEL
  --wait                start stopped, until a debugger continues
  --lifeline            for programs that drive the core: no console; end when standard input closes
  --help                this text
`;

/** Options that describe a machine, which a snapshot does by itself, but for the disk's image. */
const kernelFlags = ['append', 'initrd', 'module', 'boot'] as const;
const machineFlags = [...kernelFlags, 'firmware', 'memory', 'cpus', 'framebuffer', 'cpu', 'personality'] as const;
const PERSONALITIES: readonly Personality[] = ['none', 'kvm', 'xen', 'hyperv'];
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Throws a {@link UsageError} on anything that cannot be followed; undefined when only help was asked for. */
export function parseRunOptions(args: readonly string[]): RunOptions | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  return {
    machine: values.restore === undefined ? machineOptions(values, positionals) : restored(values, positionals),
    gdb: (values.gdb ?? []).map((text) => parseEndpoint('--gdb', text)),
    inspect: (values.inspect ?? []).map((text) => parseEndpoint('--inspect', text)),
    serialFiles: ([2, 3, 4] as const).flatMap((port) => {
      const path = values[`serial${port}`];
      return path === undefined ? [] : [{ port, path }];
    }),
    ...(values['firmware-log'] === undefined ? {} : { firmwareLog: values['firmware-log'] }),
    wait: values.wait ?? false,
    lifeline: values.lifeline ?? false,
  };
}

type Parsed = ReturnType<typeof parse>;

/** Everything about the machine is in the snapshot; of the disk, what differs from its image. */
function restored({ restore = '', ...values }: Parsed['values'], positionals: Parsed['positionals']) {
  const given = machineFlags.find((name) => values[name] !== undefined);
  if (given) throw new UsageError(`--restore and --${given} do not go together: the snapshot says it all`);
  if (positionals.length > 0) throw new UsageError(`--restore takes no kernel; what is "${positionals[0]}"?`);
  return { restore, ...(values.disk === undefined ? {} : { disk: parseDisk(values.disk) }) };
}

function machineOptions(values: Parsed['values'], positionals: Parsed['positionals']): MachineOptions {
  return {
    boot: values.firmware === undefined ? kernel(values, positionals) : firmware(values, positionals),
    memory: parseMemory(values.memory ?? '256M'),
    cpus: parseCpus(values.cpus ?? '1'),
    ...(values.disk === undefined ? {} : { disk: parseDisk(values.disk) }),
    ...(values.framebuffer === undefined ? {} : { framebuffer: parseFramebuffer(values.framebuffer) }),
    ...(values.cpu === undefined ? {} : { cpu: parseCpu(values.cpu) }),
    ...(values.personality === undefined ? {} : { personality: parsePersonality(values.personality) }),
  };
}

/** What boots is on the disk. */
function firmware({ firmware: path = '', ...values }: Parsed['values'], positionals: Parsed['positionals']) {
  const given = kernelFlags.find((name) => values[name] !== undefined);
  if (given) throw new UsageError(`--firmware and --${given} do not go together: the firmware boots the disk`);
  const [kernel] = positionals;
  if (kernel !== undefined) {
    throw new UsageError(`--firmware takes no kernel, it boots the disk (--disk FILE); what is "${kernel}"?`);
  }
  const file = readInput('--firmware', path);
  const problem = firmwareProblem(file.length);
  if (problem) throw new UsageError(`--firmware: ${path} ${problem}`);
  return { protocol: FIRMWARE, name: basename(path), file, commandLine: '' } as const;
}

function kernel(values: Parsed['values'], positionals: Parsed['positionals']): MachineOptions['boot'] {
  const [kernel, ...more] = positionals;
  if (kernel === undefined) throw new UsageError('which kernel? Usage: ringside run KERNEL [options]');
  if (more.length > 0) throw new UsageError(`one kernel at a time; what is "${more[0]}"?`);
  return {
    ...parseBoot(values.boot ?? 'auto'),
    name: basename(kernel),
    file: readInput('the kernel', kernel),
    commandLine: values.append ?? '',
    ...(values.initrd === undefined
      ? {}
      : { initrd: { name: basename(values.initrd), file: readInput('--initrd', values.initrd) } }),
    ...(values.module === undefined ? {} : { modules: values.module.map(readModule) }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: joinValues(args),
      allowPositionals: true,
      options: {
        append: { type: 'string' },
        initrd: { type: 'string' },
        module: { type: 'string', multiple: true },
        boot: { type: 'string' },
        memory: { type: 'string' },
        cpus: { type: 'string' },
        framebuffer: { type: 'string' },
        cpu: { type: 'string' },
        disk: { type: 'string' },
        personality: { type: 'string' },
        gdb: { type: 'string', multiple: true },
        inspect: { type: 'string', multiple: true },
        serial2: { type: 'string' },
        serial3: { type: 'string' },
        serial4: { type: 'string' },
        firmware: { type: 'string' },
        'firmware-log': { type: 'string' },
        restore: { type: 'string' },
        wait: { type: 'boolean' },
        lifeline: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${message.split(/\.?(?:\n| (?=To ))/)[0]}. "ringside run --help" lists the options.`);
  }
}

/** What these options want may begin with a dash, which `parseArgs` takes only behind an equals sign. */
const DASHED = ['--append', '--cpu'];

function joinValues(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const [name = '', value] = [args[at], args[at + 1]];
    if (DASHED.includes(name) && value !== undefined) {
      joined.push(`${name}=${value}`);
      at++;
    } else joined.push(name);
  }
  return joined;
}

function readInput(what: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EISDIR: 'it is a folder',
      EACCES: 'permission denied',
      ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
    };
    throw new UsageError(`${what}: cannot read ${path}: ${reasons[code] ?? String(error)}`);
  }
}

/** By custom a module's command line begins with its file's name. */
function readModule(text: string): { commandLine: string; file: Uint8Array } {
  const [path = '', ...words] = text.trim().split(/ +/);
  return { commandLine: [basename(path), ...words].join(' '), file: readInput('--module', path) };
}

function parseBoot(text: string): Partial<BootChoice> {
  const choice = parseBootChoice(text);
  if (!choice) throw new UsageError(`--boot must be one of ${BOOT_CHOICES}; not "${text}"`);
  return choice === 'auto' ? {} : choice;
}

function parseMemory(text: string): number {
  const match = /^(\d{1,15})([KMGT]?)(?:i?B)?$/i.exec(text);
  const bytes = Number(match?.[1] ?? Number.NaN) * (UNITS[match?.[2]?.toUpperCase() ?? ''] ?? 1);
  if (!match || bytes === 0) throw new UsageError(`--memory must be a size such as 256M or 1G, not "${text}"`);
  if (bytes > totalmem()) {
    throw new UsageError(`--memory ${text}: this machine has ${Math.floor(totalmem() / 2 ** 20)} MiB`);
  }
  return bytes;
}

function parseCpus(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new UsageError(`--cpus must be a number of virtual CPUs, not "${text}"`);
  return Number(text);
}

function parseFramebuffer(text: string): Resolution {
  const resolution = parseResolution(text);
  if (!resolution) throw new UsageError(`--framebuffer must be ${RESOLUTIONS}; not "${text}"`);
  return resolution;
}

/** The file's name may hold commas. */
function parseDisk(text: string): DiskChoice {
  const PERSIST = ',persist';
  const persist = text.endsWith(PERSIST);
  return { path: persist ? text.slice(0, -PERSIST.length) : text, persist };
}

function parseCpu(text: string): CpuChanges {
  try {
    return parseCpuChanges(text);
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(`--cpu: ${error.message}`) : error;
  }
}

function parsePersonality(text: string): Personality {
  const found = PERSONALITIES.find((name) => name === text);
  if (!found) throw new UsageError(`--personality must be one of ${PERSONALITIES.join(', ')}, not "${text}"`);
  return found;
}
