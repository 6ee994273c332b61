/** Checks of launch.json that need no file system: each problem names the attribute and says what is wanted. */
import type { AttachAttributes, LaunchAttributes } from '../../debug-adapter/protocol/custom.ts';

export interface AttributeProblem {
  readonly attribute: keyof LaunchAttributes | keyof AttachAttributes;
  readonly message: string;
}

type Check = (value: unknown) => string | undefined;

const MIB = 1024 * 1024;
const units: Readonly<Record<string, number>> = { '': 1, k: 1024, m: MIB, g: 1024 * MIB };

const text: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a path');
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const oneOf =
  (...choices: string[]): Check =>
  (value) =>
    choices.includes(value as string) ? undefined : `must be one of ${choices.join(', ')}`;

const bootChoice =
  /^(auto|elf32|elf64|multiboot1|multiboot2|linux|pvh|sector|flat(16|32|64)(@(0x[0-9a-fA-F]{1,16}|[0-9]{1,20}))?)$/;

const paths: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((folder) => typeof folder === 'string')
    ? undefined
    : 'must map path prefixes to folders, such as { "/build": "/home/me/kernel" }';

/** Pixels of a framebuffer, across or down. */
const isSide = (pixels: string) => Number(pixels) >= 64 && Number(pixels) <= 4096;

const list: Check = (value) =>
  Array.isArray(value) && value.every((each) => typeof each === 'string') ? undefined : 'must be a list of folders';

const address: Check = (value) =>
  typeof value === 'string' && /^(unix:.+|(tcp:)?[^/ ]*:[0-9]{1,5})$/.test(value)
    ? undefined
    : 'must be "HOST:PORT" or "unix:PATH"';

const launchChecks: { readonly [Name in keyof Required<LaunchAttributes>]: Check } = {
  program: (value) => text(value) && 'must be the path of a kernel',
  firmware: text,
  backend: oneOf('auto', 'kvm', 'qemu'),
  memory: checkMemory,
  cpus: (value) =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 64
      ? undefined
      : 'must be a whole number from 1 to 64',
  args: (value) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((word) => typeof word === 'string'))
      ? undefined
      : 'must be a string or a list of strings',
  initrd: text,
  modules: (value) =>
    Array.isArray(value) && value.every((each) => typeof each === 'string' && each.trim() !== '')
      ? undefined
      : 'must be a list of paths, each with or without words for the kernel',
  disk: text,
  persist: flag,
  framebuffer: (value) =>
    typeof value === 'string' && /^[0-9]{2,4}x[0-9]{2,4}$/.test(value) && value.split('x').every(isSide)
      ? undefined
      : 'must be WIDTHxHEIGHT in pixels, each from 64 to 4096, such as "1024x768"',
  cpu: (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(([list, names]) => ['hide', 'expose'].includes(list) && Array.isArray(names))
      ? undefined
      : 'must be like { "hide": ["smap"], "expose": [] }',
  boot: (value) =>
    typeof value === 'string' && bootChoice.test(value)
      ? undefined
      : 'must be auto, elf32, elf64, multiboot1, multiboot2, linux, pvh, sector, or flat16, flat32 or flat64 with or ' +
        'without an address, such as flat32@0x100000',
  stopOnEntry: flag,
  symbols: text,
  moreSymbols: list,
  sourceMap: paths,
  sourceFolders: list,
  gdb: (value) =>
    typeof value === 'string' && /^(unix:.+|tcp:(.+:)?[0-9]{1,5})$/.test(value)
      ? undefined
      : 'must be "unix:PATH" or "tcp:PORT"',
  personality: oneOf('auto', 'none', 'kvm', 'xen', 'hyperv'),
  console: oneOf('integratedTerminal', 'internalConsole'),
};

const attachChecks: { readonly [Name in keyof Required<AttachAttributes>]: Check } = {
  target: address,
  qmp: address,
  inspect: address,
  program: text,
  symbols: text,
  moreSymbols: list,
  sourceMap: paths,
  sourceFolders: list,
  stopOnEntry: flag,
};

/** Bytes that a `memory` attribute stands for; undefined when it is not a size. */
export function memoryBytes(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^([0-9]{1,15})\s*([kKmMgG]?)([iI]?[bB])?$/.exec(value.trim());
  if (!match) return undefined;
  const bytes = Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? 1);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

function checkMemory(value: unknown): string | undefined {
  const bytes = memoryBytes(value);
  if (bytes === undefined) return 'must be a size such as "256M" or "1G", or a number of bytes';
  return bytes < MIB ? 'must be at least 1M' : undefined;
}

/** Problems of a configuration, in the order of the attributes above. Attributes that are absent are mostly fine. */
export function checkLaunch(configuration: Readonly<Record<string, unknown>>): AttributeProblem[] {
  const attach = configuration['request'] === 'attach';
  const needed = attach ? 'target' : configuration['firmware'] === undefined ? 'program' : 'firmware';
  return Object.entries<Check>(attach ? attachChecks : launchChecks).flatMap(([name, check]) => {
    const value = configuration[name];
    const message = value === undefined && name !== needed ? undefined : check(value);
    return message ? [{ attribute: name as AttributeProblem['attribute'], message }] : [];
  });
}
