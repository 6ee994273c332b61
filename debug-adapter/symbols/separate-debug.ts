/**
 * The file with the DWARF of an image that was stripped of it, found by the build id or by `.gnu_debuglink`. GDB manual,
 * "Debugging Information in Separate Files".
 */
import { createReadStream } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { buf as crc32 } from 'crc-32';
import { SymbolFileError } from './api.ts';
import { buildId } from './build-id.ts';
import { Cursor } from './bytes.ts';
import { ElfFile } from './elf.ts';

/** Where distributions install such files. */
const systemFolder = '/usr/lib/debug';
/** Bytes of a file that are summed at once, between which others get their turn. */
const chunkBytes = 1024 * 1024;

export interface DebugFileSearch {
  readonly found?: ElfFile;
  /** The paths that were tried, each with what was wrong where something is there. */
  readonly tried: readonly string[];
}

interface Candidate {
  readonly path: string;
  /** Whether it was made together with the image. */
  fits(file: ElfFile): boolean | Promise<boolean>;
}

export const hasDwarf = (elf: ElfFile): boolean =>
  ['.debug_info', '.zdebug_info'].some((name) => elf.section(name) !== undefined);

/**
 * Tries the places in GDB's order. Never rejects: what cannot be used is only noted.
 * @param placed As for `ElfFile.open`.
 * @param folder Instead of /usr/lib/debug.
 */
export async function findDebugFile(
  image: ElfFile,
  placed?: ReadonlyMap<string, bigint>,
  folder = systemFolder,
): Promise<DebugFileSearch> {
  const tried: string[] = [];
  for (const candidates of [byBuildId, byDebugLink]) {
    try {
      for (const candidate of candidates(image, folder)) {
        const found = await tryFile(candidate, placed);
        if (found instanceof ElfFile) return { found, tried };
        tried.push(found);
      }
    } catch (error) {
      if (!(error instanceof SymbolFileError)) throw error;
      tried.push(error.message);
    }
  }
  return { tried };
}

/** The file, or its path with what is wrong with it. */
async function tryFile({ path, fits }: Candidate, placed?: ReadonlyMap<string, bigint>): Promise<ElfFile | string> {
  let file: ElfFile | undefined;
  try {
    file = ElfFile.open(path, placed);
    const useful = hasDwarf(file);
    if (useful && (await fits(file))) return file;
    file.close();
    return `${path} (${useful ? 'of another build' : 'without DWARF'})`;
  } catch (error) {
    file?.close();
    if (!(error instanceof Error)) throw error;
    return 'code' in error && error.code === 'ENOENT' ? path : `${path} (${error.message})`;
  }
}

function byBuildId(image: ElfFile, folder: string): Candidate[] {
  const id = buildId(image);
  if (id === undefined || id.length < 4) return [];
  const path = join(folder, '.build-id', id.slice(0, 2), `${id.slice(2)}.debug`);
  return [{ path, fits: (file) => buildId(file) === id }];
}

/** The section holds the file's name and, at the next multiple of four bytes, the CRC-32 of its bytes. */
function byDebugLink(image: ElfFile, folder: string): Candidate[] {
  const section = image.section('.gnu_debuglink');
  if (!section) return [];
  const cursor = new Cursor(image.bytes(section), 0, section.name);
  const name = basename(cursor.string());
  cursor.skip((4 - (cursor.at % 4)) % 4);
  const sum = cursor.u32();
  const beside = dirname(resolve(image.path));
  return [beside, join(beside, '.debug'), join(folder, beside)].map((place) => ({
    path: join(place, name),
    fits: async ({ path }) => (await sumOf(path)) === sum,
  }));
}

async function sumOf(path: string): Promise<number> {
  let sum = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) sum = crc32(chunk, sum);
  return sum >>> 0;
}
