/**
 * Indexes on disk, so that a kernel is read once: one file each, named by build id, in the user's cache folder. A file
 * that does not fit the image or is damaged is as good as none.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { buildId } from '../build-id.ts';
import type { DebugInfo } from '../debug-info.ts';
import type { ImageColumns } from './build.ts';

/** Changes with the format and with what is put into it. */
const magic = 'Ringside index 1\n';
/** Indexes that are kept, those used last. */
const mostFiles = 24;

interface Header {
  /** What the index was made of. */
  readonly image: string;
  readonly paths: readonly string[];
  readonly lengths: readonly number[];
}

const columnNames = ['buckets', 'hashes', 'starts', 'dies'] as const;

export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'ringside', 'symbols');
}

/** Where the index of an image is kept. */
export function cacheFile(folder: string, info: DebugInfo): string {
  return join(folder, `${buildId(info.dwarf)?.slice(0, 64) ?? digest(identity(info))}.index`);
}

/** A stripped image and the file with its symbols have one build id, so that alone does not tell them apart. */
function identity({ dwarf, units, splitFiles }: DebugInfo): string {
  const last = units.at(-1)?.header;
  const split = splitFiles.map(({ path, modified, fileSize }) => `${path} ${modified} ${fileSize}`);
  const beside = split.length === 0 ? '' : ` ${digest(split.join('\n'))}`;
  const debug = `${units.length} ${(last?.offset ?? 0) + (last?.size ?? 0)}${beside}`;
  return `${buildId(dwarf) ?? `${dwarf.path} ${dwarf.modified}`} ${dwarf.fileSize} ${debug}`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 40);

/** Undefined where there is none that can be used. */
export async function readCached(file: string, info: DebugInfo): Promise<ImageColumns | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  if (!bytes || bytes.subarray(0, magic.length).toString('latin1') !== magic) return undefined;
  try {
    const headerSize = bytes.readUInt32LE(magic.length);
    const headerAt = magic.length + 4;
    const header: Header = JSON.parse(bytes.subarray(headerAt, headerAt + headerSize).toString('utf8'));
    if (header.image !== identity(info)) return undefined;
    return readColumns(bytes, headerAt + headerSize, header);
  } catch {
    return undefined;
  }
}

function readColumns(bytes: Buffer, start: number, { paths, lengths }: Header): ImageColumns | undefined {
  let at = start;
  const take = (size: number): ArrayBuffer => {
    const part = new Uint8Array(bytes.subarray(at, at + size));
    if (part.length !== size) throw new RangeError('the file is too short');
    at += size;
    return part.buffer;
  };
  const words = (index: number) => new Uint32Array(take(4 * (lengths[index] ?? 0)));
  const [buckets, hashes, starts, dies, sourceStarts, units] = [0, 1, 2, 3, 4, 5].map(words);
  if (!buckets || !hashes || !starts || !dies || !sourceStarts || !units) return undefined;
  const tags = new Uint8Array(take(dies.length));
  const isSound =
    isPartition(buckets, hashes.length) &&
    isPartition(starts, dies.length) &&
    isPartition(sourceStarts, units.length) &&
    starts.length === hashes.length + 1 &&
    sourceStarts.length === paths.length + 1 &&
    paths.every((path) => typeof path === 'string');
  if (!isSound) return undefined;
  return { names: { buckets, hashes, starts, tags, dies }, sources: { paths, starts: sourceStarts, units } };
}

/** Whether `starts` goes up from 0 to `end`. */
function isPartition(starts: Uint32Array, end: number): boolean {
  if (starts[0] !== 0 || starts.at(-1) !== end) return false;
  for (let index = 1; index < starts.length; index++)
    if ((starts[index] as number) < (starts[index - 1] as number)) return false;
  return true;
}

/** Keeps an index; a folder that cannot be written to is no reason to fail. */
export function writeCached(file: string, info: DebugInfo, { names, sources }: ImageColumns): void {
  const words = [...columnNames.map((name) => names[name]), sources.starts, sources.units];
  const header: Header = {
    image: identity(info),
    paths: sources.paths,
    lengths: words.map((column) => column.length),
  };
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  const columns = [...words, names.tags].map((column) =>
    Buffer.from(column.buffer, column.byteOffset, column.byteLength),
  );
  const draft = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(draft, Buffer.concat([Buffer.from(magic, 'latin1'), size, text, ...columns]), { mode: 0o600 });
    renameSync(draft, file);
    dropOldest(dirname(file), basename(file));
  } catch {
    // Looking for it never fails, where removing what is not there may: below a file, or in a folder of somebody else's.
    if (existsSync(draft)) rmSync(draft, { force: true });
  }
}

function dropOldest(folder: string, kept: string): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.index') && name !== kept)
    .map((name) => ({ name, used: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.used - a.used);
  for (const { name } of files.slice(mostFiles - 1)) rmSync(join(folder, name), { force: true });
}
