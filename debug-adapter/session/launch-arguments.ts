/** launch.json as the user wrote it, checked: every complaint names the attribute and says what is expected. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { BOOT_CHOICES, parseBootChoice } from '../../hypervisor-core/protocol/boot-choice.ts';
import type { LaunchAttributes } from '../protocol/custom.ts';
import { missingAttribute, noSuchFile, tooMuchMemory, wrongAttribute } from './errors.ts';

/** As {@link LaunchAttributes}, with defaults filled in and sizes in bytes. */
export interface LaunchArguments {
  readonly program: string;
  readonly memory: number;
  readonly cpus: number;
  readonly commandLine: string;
  readonly initrd?: string;
  readonly boot: string;
  readonly stopOnEntry: boolean;
  readonly symbols?: string;
  readonly sourceMap: Readonly<Record<string, string>>;
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
export async function readLaunchArguments(
  raw: { readonly [Name in keyof LaunchAttributes]?: unknown },
): Promise<LaunchArguments> {
  const program = await file('program', raw.program);
  if (!program) throw missingAttribute('program', 'the path of the kernel to boot');
  const initrd = await file('initrd', raw.initrd);
  const symbols = await file('symbols', raw.symbols);
  const gdb = gdbAddress(raw.gdb);
  const stopOnEntry = raw.stopOnEntry ?? false;
  if (typeof stopOnEntry !== 'boolean') throw wrongAttribute('stopOnEntry', 'must be true or false');
  return {
    program,
    memory: memory(raw.memory ?? '256M'),
    cpus: cpus(raw.cpus ?? 1),
    commandLine: commandLine(raw.args ?? ''),
    boot: boot(raw.boot ?? 'auto'),
    stopOnEntry,
    sourceMap: sourceMap(raw.sourceMap ?? {}),
    personality: oneOf('personality', PERSONALITIES, raw.personality ?? 'auto'),
    console: oneOf('console', CONSOLES, raw.console ?? 'integratedTerminal'),
    ...(initrd ? { initrd } : {}),
    ...(symbols ? { symbols } : {}),
    ...(gdb ? { gdb } : {}),
  };
}

async function file(name: string, value: unknown): Promise<string | undefined> {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw wrongAttribute(name, `must be a path, not ${describe(value)}`);
  const path = resolve(value);
  const reason = await access(path, constants.R_OK).then(
    async () => ((await stat(path)).isFile() ? undefined : 'it is not a file'),
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 'there is no such file' : error.message),
  );
  if (reason) throw noSuchFile(name, path, reason);
  return path;
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
    throw wrongAttribute('memory', `must be a size such as "256M" or "1G", not ${describe(value)}`);
  }
  if (bytes < LEAST_MEMORY) throw wrongAttribute('memory', `must be at least 2M, not ${describe(value)}`);
  if (bytes > totalmem()) throw tooMuchMemory(String(value), `${Math.floor(totalmem() / MIB)}M`);
  if (bytes % 4096 !== 0)
    throw wrongAttribute('memory', `must be a whole number of 4 KiB pages, not ${describe(value)}`);
  return bytes;
}

function cpus(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MOST_CPUS) {
    throw wrongAttribute('cpus', `must be a whole number from 1 to ${MOST_CPUS}, not ${describe(value)}`);
  }
  return value;
}

function commandLine(value: unknown): string {
  const words = Array.isArray(value) ? value : [value];
  if (!words.every((word): word is string => typeof word === 'string')) {
    throw wrongAttribute('args', `must be a string or an array of strings, not ${describe(value)}`);
  }
  const line = words.join(' ');
  if (line.includes('\0')) throw wrongAttribute('args', 'must not hold a zero byte');
  return line;
}

function boot(value: unknown): string {
  if (typeof value === 'string' && parseBootChoice(value)) return value;
  throw wrongAttribute('boot', `must be one of ${BOOT_CHOICES}; not ${describe(value)}`);
}

function sourceMap(value: unknown): Record<string, string> {
  const fits =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((path) => typeof path === 'string');
  if (!fits) throw wrongAttribute('sourceMap', `must map path prefixes to paths, not ${describe(value)}`);
  return value as Record<string, string>;
}

function gdbAddress(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const match = typeof value === 'string' ? /^(?:unix:(.{1,100})|tcp:(?:[\w.:[\]-]*:)?(\d{1,5}))$/.exec(value) : null;
  if (!match || Number(match[2] ?? 1) > 65_535 || Number(match[2] ?? 1) < 1) {
    throw wrongAttribute('gdb', `must be "unix:PATH" or "tcp:PORT", not ${describe(value)}`);
  }
  return String(value);
}

function oneOf<Choice extends string>(name: string, choices: readonly Choice[], value: unknown): Choice {
  const known = choices.find((choice) => choice === value);
  if (!known) throw wrongAttribute(name, `must be one of ${choices.join(', ')}, not ${describe(value)}`);
  return known;
}

const describe = (value: unknown) => (JSON.stringify(value) ?? String(value)).slice(0, 80);
