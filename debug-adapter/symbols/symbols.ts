/** Opens a file with symbols, whichever kind it is. */
import type { OpenSymbols } from './api.ts';
import { debugInfoOf } from './debug-info.ts';
import { ElfFile } from './elf.ts';
import { ElfSymbols } from './elf-symbols.ts';
import type { IndexOptions } from './index/image-index.ts';
import { openMap } from './map-symbols.ts';
import { findDebugFile, hasDwarf } from './separate-debug.ts';

export type { OpenSymbols } from './api.ts';

export interface SymbolOptions extends IndexOptions {
  /** Where files with the DWARF of stripped images are installed; /usr/lib/debug when absent. */
  readonly debugFolder?: string;
  /** Where the sections of a relocatable file, such as a kernel module, are in memory: addresses by name. */
  readonly placed?: ReadonlyMap<string, bigint>;
}

/**
 * Opens an ELF file, with the file that has its DWARF where the image was stripped of that, or a text of symbols such as
 * System.map. Headers are checked now, the rest is read when it is asked for: what then proves to be damaged is left out
 * and noted in {@link OpenSymbols.problems}. Rejects with `SymbolFileError` for a file that is neither an x86 ELF file nor
 * such a text, and with the system's error for one that cannot be opened.
 */
export async function openSymbols(path: string, options: SymbolOptions = {}): Promise<OpenSymbols> {
  return (await openMap(path)) ?? openElf(path, options);
}

async function openElf(path: string, options: SymbolOptions): Promise<OpenSymbols> {
  const image = ElfFile.open(path, options.placed);
  const { found, tried } = hasDwarf(image)
    ? { found: image, tried: [] }
    : await findDebugFile(image, options.placed, options.debugFolder);
  try {
    return new ElfSymbols(debugInfoOf(image, found), options, found ? [] : tried);
  } catch (error) {
    image.close();
    if (found !== image) found?.close();
    throw error;
  }
}
