/**
 * A snapshot as a file: a line that says what it is, the length of the head and the head as JSON, then runs of pages of RAM
 * that are not zero, each with its first page and its number of pages, ended by a run of none, and likewise the blocks of
 * the disk that are not as in its image. Numbers are 32 bits, little-endian. A file comes from anywhere: everything is checked against the machine that it is to be loaded into.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { formatCpuChanges } from '../protocol/cpu-features.ts';
import { formatResolution } from '../protocol/framebuffer.ts';
import type { MachineInfo, SnapshotInfo } from '../protocol/inspect.ts';
import { SnapshotError } from './api.ts';
import type { MachineHardware } from './machine-hardware.ts';
import { PAGE } from './memory-slots.ts';

const MAGIC = Buffer.from('ringside snapshot 4\n');
export const NO_FRAMEBUFFER = 'none';
const MOST_HEAD = 64 << 20;
/** Pages of one run. */
const MOST_RUN = 1024;

/** What a machine must be like for a snapshot of it to be loaded. */
export type SnapshotMachine = Pick<MachineInfo, 'program' | 'bootProtocol' | 'cpus' | 'memory' | 'personality'> & {
  /** The KVM module: the state of one processor maker's is not that of another's. */
  readonly kvm: string;
  /** Processor features that are hidden or exposed, as `--cpu` takes them. */
  readonly cpu: string;
  /** Sectors of the disk; 0 when there is none. */
  readonly disk: number;
  /** Bytes of the firmware's ROM; 0 when there is none. Its contents are kept with those of RAM. */
  readonly rom: number;
  /** Its resolution as `--framebuffer` takes it, or `none`; its contents are kept with those of RAM, too. */
  readonly framebuffer: string;
};

export interface SnapshotHead {
  readonly machine: SnapshotMachine;
  readonly info: SnapshotInfo;
  /** Everything but RAM. */
  readonly state: unknown;
}

interface Run {
  readonly first: number;
  readonly bytes: Uint8Array;
}

export const machineOf = ({ info, wishes }: Pick<MachineHardware, 'info' | 'wishes'>): SnapshotMachine => {
  const { program, bootProtocol, cpus, memory, personality, host } = info;
  const cpu = formatCpuChanges(wishes.changes ?? { hide: [], expose: [] });
  const [disk, rom] = [wishes.diskSectors ?? 0, wishes.romSize];
  const framebuffer = wishes.framebuffer ? formatResolution(wishes.framebuffer) : NO_FRAMEBUFFER;
  return { program, bootProtocol, cpus, memory, personality, kvm: host.module, cpu, disk, rom, framebuffer };
};

const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);

/** Writes a file that only this user can read; `contents` is of RAM, and of the disk. */
export async function writeSnapshot(
  path: string,
  head: SnapshotHead,
  contents: readonly (Iterable<Run> | AsyncIterable<Run>)[],
): Promise<void> {
  const file = await open(path, 'w', 0o600).catch((error: Error) => {
    throw new SnapshotError(`The snapshot cannot be written: ${error.message}.`);
  });
  try {
    const json = Buffer.from(JSON.stringify(head, encode));
    await file.writeFile(Buffer.concat([MAGIC, words(json.length), json]));
    for (const runs of contents) {
      for await (const { first, bytes } of runs) {
        await file.writeFile(words(first, bytes.length / PAGE));
        await file.writeFile(bytes);
      }
      await file.writeFile(words(0, 0));
    }
  } finally {
    await file.close();
  }
}

/** An open snapshot file. Its parts are to be read in order; whatever is wrong with them throws a {@link SnapshotError}. */
export class SnapshotReader {
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<SnapshotReader> {
    const file = await open(path, 'r').catch((error: Error) => {
      throw new SnapshotError(`The snapshot cannot be read: ${error.message}.`);
    });
    return new SnapshotReader(path, file);
  }

  async head(): Promise<SnapshotHead> {
    if (!MAGIC.equals(await this.#bytes(MAGIC.length)))
      throw this.#error('it is no snapshot of this version of Ringside');
    const length = (await this.#bytes(4)).readUInt32LE();
    if (length > MOST_HEAD) throw this.#error('its head is too long');
    const text = (await this.#bytes(length)).toString();
    try {
      const head: SnapshotHead = JSON.parse(text, decode);
      return checkedHead(head);
    } catch {
      throw this.#error('its head is damaged');
    }
  }

  /** The next part: first RAM, then the disk. */
  async *contents(): AsyncGenerator<Run> {
    for (;;) {
      const header = await this.#bytes(8);
      const [first, count] = [header.readUInt32LE(0), header.readUInt32LE(4)];
      if (count === 0) return;
      if (count > MOST_RUN) throw this.#error('a run of pages is too long');
      yield { first, bytes: await this.#bytes(count * PAGE) };
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #bytes(length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    let at = 0;
    while (at < length) {
      const { bytesRead } = await this.#file.read(buffer, at, length - at, null);
      if (bytesRead === 0) throw this.#error('it ends too early');
      at += bytesRead;
    }
    return buffer;
  }

  #error(reason: string): SnapshotError {
    return new SnapshotError(`${this.#path} cannot be used: ${reason}.`);
  }
}

function checkedHead({ machine, info, state }: SnapshotHead): SnapshotHead {
  const shape = {
    program: '',
    bootProtocol: '',
    cpus: 0,
    memory: 0,
    personality: '',
    kvm: '',
    cpu: '',
    disk: 0,
    rom: 0,
    framebuffer: '',
  };
  if (!sameShape(shape, machine)) throw new TypeError('machine');
  if (!sameShape({ name: '', time: 0, taken: '', bytes: 0 }, info)) throw new TypeError('info');
  return { machine, info, state };
}

/** True when `value` has the same keys, types and lengths throughout as `template`. */
export function sameShape<Shape>(template: Shape, value: unknown): value is Shape {
  if (template instanceof Uint8Array) return value instanceof Uint8Array && value.length === template.length;
  if (Array.isArray(template)) {
    if (!Array.isArray(value) || value.length !== template.length) return false;
    return template.every((item, index) => sameShape(item, value[index]));
  }
  if (typeof template !== 'object' || template === null) return typeof value === typeof template;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(template).every(([key, item]) => sameShape(item, (value as Record<string, unknown>)[key]));
}

/** JSON has no bytes and no wide numbers. A Buffer would come as what its own toJSON makes of it, so it is looked up. */
function encode(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const bytes = this[key];
  if (bytes instanceof Uint8Array) return { bytes64: Buffer.from(bytes).toString('base64') };
  if (typeof value === 'bigint') return { wide: value.toString() };
  return value;
}

function decode(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('bytes64' in value) return new Uint8Array(Buffer.from(String(value.bytes64), 'base64'));
  if ('wide' in value) return BigInt.asUintN(64, BigInt(String(value.wide)));
  return value;
}
