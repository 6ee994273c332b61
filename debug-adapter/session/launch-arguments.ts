/** launch.json as the user wrote it, checked: every complaint names the attribute and says what is expected. */
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { BOOT_CHOICES, parseBootChoice } from '../../hypervisor-core/protocol/boot-choice.ts';
import { isCpuFeature } from '../../hypervisor-core/protocol/cpu-features.ts';
import { parseResolution, RESOLUTIONS } from '../../hypervisor-core/protocol/framebuffer.ts';
import { busyboxInitramfs } from '../linux/busybox-initramfs.ts';
import { LinuxError } from '../linux/linux-error.ts';
import type { LaunchAttributes } from '../protocol/custom.ts';
import { cacheFolder } from '../symbols/index/cache.ts';
import { BACKENDS, type Backend } from '../target/backend.ts';
import { file, files, flag, oneOf, quoted, type Raw, sourceMap, texts } from './attributes.ts';
import { missingAttribute, tooMuchMemory, wrongAttribute } from './errors.ts';
import { firmware } from './firmware-argument.ts';

/** As {@link LaunchAttributes}, with defaults filled in and sizes in bytes. */
export interface LaunchArguments {
  readonly request: 'launch';
  /** The kernel; with `firmware` what it is to boot, or else the firmware itself. */
  readonly program: string;
  readonly firmware?: string;
  readonly backend: Backend;
  readonly memory: number;
  readonly cpus: number;
  readonly commandLine: string;
  readonly initrd?: string;
  /** As `ringside run --module` takes them: path, and words after a space. */
  readonly modules: readonly string[];
  readonly boot: string;
  readonly disk?: string;
  readonly persist: boolean;
  /** As `ringside run --framebuffer` takes it. */
  readonly framebuffer?: string;
  /** Changes to the processor's features: `-name` hides, `+name` exposes. */
  readonly cpu: string;
  readonly stopOnEntry: boolean;
  readonly symbols?: string;
  readonly moreSymbols: readonly string[];
  readonly sourceMap: Readonly<Record<string, string>>;
  readonly sourceFolders: readonly string[];
  readonly gdb?: string;
  readonly personality: NonNullable<LaunchAttributes['personality']>;
  readonly console: NonNullable<LaunchAttributes['console']>;
}

const MIB = 1024 * 1024;
const LEAST_MEMORY = 2 * MIB;
/** Overcommit of vCPUs works, but spinning guests then crawl: a typing error is likelier than a wish. */
const MOST_CPUS = Math.max(16, 4 * availableParallelism());
const CONSOLES = ['integratedTerminal', 'internalConsole'] as const;
const PERSONALITIES = ['auto', 'none', 'kvm', 'xen', 'hyperv'] as const;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: MIB, G: 1024 * MIB };

/** Checks the attributes. Throws a `UserError` for the first that is wrong. */
export async function readLaunchArguments(raw: Raw<LaunchAttributes>): Promise<LaunchArguments> {
  const bios = await firmware(raw);
  const program = (await file('program', raw.program)) ?? bios;
  if (!program) throw missingAttribute('program', 'the path of the kernel to boot');
  const symbols = await file('symbols', raw.symbols);
  const initrd = await initialRamDisk(raw.initrd, dirname(symbols ?? program));
  const gdb = gdbAddress(raw.gdb);
  const disk = await file('disk', raw.disk);
  const screen = framebuffer(raw.framebuffer);
  const persist = flag('persist', raw.persist ?? false);
  if (persist && !disk) throw wrongAttribute('persist', 'needs a "disk" to write to');
  return {
    request: 'launch',
    program,
    backend: oneOf('backend', BACKENDS, raw.backend ?? 'auto'),
    memory: memory(raw.memory ?? '256M'),
    cpus: cpus(raw.cpus ?? 1),
    commandLine: commandLine(raw.args ?? ''),
    modules: await Promise.all(texts('modules', raw.modules ?? []).map(module)),
    boot: boot(raw.boot ?? 'auto'),
    stopOnEntry: flag('stopOnEntry', raw.stopOnEntry ?? false),
    persist,
    cpu: cpu(raw.cpu ?? {}),
    sourceMap: sourceMap(raw.sourceMap ?? {}),
    sourceFolders: texts('sourceFolders', raw.sourceFolders ?? []),
    moreSymbols: await files('moreSymbols', raw.moreSymbols ?? []),
    personality: oneOf('personality', PERSONALITIES, raw.personality ?? 'auto'),
    console: oneOf('console', CONSOLES, raw.console ?? 'integratedTerminal'),
    ...(bios ? { firmware: bios } : {}),
    ...(initrd ? { initrd } : {}),
    ...(symbols ? { symbols } : {}),
    ...(gdb ? { gdb } : {}),
    ...(disk ? { disk } : {}),
    ...(screen === undefined ? {} : { framebuffer: screen }),
  };
}

/** @param kernel folder in which it was built */
async function initialRamDisk(value: unknown, kernel: string): Promise<string | undefined> {
  if (value !== 'busybox') return file('initrd', value);
  return busyboxInitramfs(join(dirname(cacheFolder()), 'initramfs'), kernel).catch((error: Error) => {
    throw error instanceof LinuxError ? wrongAttribute('initrd', `is "busybox", but ${error.message}`) : error;
  });
}

/** The module with its path made absolute. */
async function module(text: string): Promise<string> {
  const [name, ...words] = text.trim().split(/ +/);
  const path = await file('modules', name);
  if (!path) throw wrongAttribute('modules', `must each begin with a path, not be ${quoted(text)}`);
  return [path, ...words].join(' ');
}

function framebuffer(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && parseResolution(value)) return value;
  throw wrongAttribute('framebuffer', `must be ${RESOLUTIONS}; not ${quoted(value)}`);
}

function cpu(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongAttribute('cpu', `must be like { "hide": ["smap"], "expose": [] }, not ${quoted(value)}`);
  }
  return Object.entries(value)
    .flatMap(([list, names]) => {
      const sign = { hide: '-', expose: '+' }[list];
      if (!sign) throw wrongAttribute('cpu', `knows "hide" and "expose", not ${quoted(list)}`);
      if (!Array.isArray(names)) throw wrongAttribute(`cpu.${list}`, `must be a list, not ${quoted(names)}`);
      return names.map((name) => `${sign}${featureName(`cpu.${list}`, name)}`);
    })
    .join(',');
}

function featureName(attribute: string, name: unknown): string {
  if (typeof name === 'string' && isCpuFeature(name)) return name;
  throw wrongAttribute(
    attribute,
    `holds ${quoted(name)}, which is no processor feature; names are those of /proc/cpuinfo, such as "smap"`,
  );
}

function memory(value: unknown): number {
  const match = typeof value === 'string' ? /^(\d{1,15})([KMG]?)B?$/i.exec(value.trim()) : null;
  const bytes =
    typeof value === 'number'
      ? value
      : match
        ? Number(match[1]) * (UNITS[(match[2] ?? '').toUpperCase()] ?? 1)
        : Number.NaN;
  if (!Number.isInteger(bytes)) {
    throw wrongAttribute('memory', `must be a size such as "256M" or "1G", not ${quoted(value)}`);
  }
  if (bytes < LEAST_MEMORY) throw wrongAttribute('memory', `must be at least 2M, not ${quoted(value)}`);
  if (bytes > totalmem()) throw tooMuchMemory(String(value), `${Math.floor(totalmem() / MIB)}M`);
  if (bytes % 4096 !== 0) throw wrongAttribute('memory', `must be a whole number of 4 KiB pages, not ${quoted(value)}`);
  return bytes;
}

function cpus(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MOST_CPUS) {
    throw wrongAttribute('cpus', `must be a whole number from 1 to ${MOST_CPUS}, not ${quoted(value)}`);
  }
  return value;
}

function commandLine(value: unknown): string {
  const words = Array.isArray(value) ? value : [value];
  if (!words.every((word): word is string => typeof word === 'string')) {
    throw wrongAttribute('args', `must be a string or an array of strings, not ${quoted(value)}`);
  }
  const line = words.join(' ');
  if (line.includes('\0')) throw wrongAttribute('args', 'must not hold a zero byte');
  return line;
}

function boot(value: unknown): string {
  if (typeof value === 'string' && parseBootChoice(value)) return value;
  throw wrongAttribute('boot', `must be one of ${BOOT_CHOICES}; not ${quoted(value)}`);
}

function gdbAddress(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const match = typeof value === 'string' ? /^(?:unix:(.{1,100})|tcp:(?:[\w.:[\]-]*:)?(\d{1,5}))$/.exec(value) : null;
  if (!match || Number(match[2] ?? 1) > 65_535 || Number(match[2] ?? 1) < 1) {
    throw wrongAttribute('gdb', `must be "unix:PATH" or "tcp:PORT", not ${quoted(value)}`);
  }
  return String(value);
}
