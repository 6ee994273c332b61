/** Symbols out of a text of addresses and names. There are no lines, types or call frame information. */
import { open, readFile } from 'node:fs/promises';
import { type ImageSymbol, type OpenSymbols, SymbolFileError } from './api.ts';
import { mapInThread } from './index/thread.ts';
import { isSymbolMap, mapOf, readSymbolMap, type SymbolMap } from './symbol-map.ts';

/** That of a kernel with all its modules has 15 MB. */
const mostBytes = 256 * 1024 * 1024;
const headBytes = 4096;
/** Bytes that are read within a few milliseconds; longer texts are read by a thread of their own. */
const smallMap = 128 * 1024;

/**
 * Undefined for a file that is no such text. Rejects with {@link SymbolFileError} for one that has no addresses, and with
 * the system's error where it cannot be read.
 */
export async function openMap(path: string): Promise<OpenSymbols | undefined> {
  const file = await open(path);
  let size: number;
  try {
    const stat = await file.stat();
    const { buffer, bytesRead } = stat.isFile()
      ? await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
      : { buffer: Buffer.alloc(0), bytesRead: 0 };
    if (!isSymbolMap(buffer.subarray(0, bytesRead))) return undefined;
    size = stat.size;
    if (size > mostBytes) throw new SymbolFileError(`${path} is too large for a text of symbols`);
  } finally {
    await file.close();
  }
  const read = size > smallMap ? await mapInThread(path) : readSymbolMap(await readFile(path), path);
  return new MapSymbols(path, mapOf(read));
}

class MapSymbols implements OpenSymbols {
  readonly machine: 'x86-64' | 'i386';
  readonly indexed = Promise.resolve();
  readonly stopIndexing = (): void => undefined;
  readonly problems = [];
  readonly triedDebugFiles = [];

  constructor(
    readonly path: string,
    private readonly map: SymbolMap,
  ) {
    this.machine = map.addresses.wordSize === 8 ? 'x86-64' : 'i386';
  }

  /** The text does not say where the image is entered: where it begins. */
  get entry(): bigint {
    return this.sections[0]?.address ?? 0n;
  }

  pathAt(): string {
    return this.path;
  }

  get sections(): OpenSymbols['sections'] {
    return this.map.regions.map(({ name, address, size }) => ({
      name,
      address: this.map.addresses.moved(address),
      size: BigInt(size),
    }));
  }

  moveBy(slide: bigint): void {
    this.map.addresses.slide = slide;
  }

  symbolAt(address: bigint): ImageSymbol | undefined {
    return this.map.table.at(this.map.addresses.fromGuest(address));
  }

  symbolsNamed(name: string): readonly ImageSymbol[] {
    return this.map.table.named(name);
  }

  functionSymbols(name: string): readonly ImageSymbol[] {
    return this.map.table.functions(name);
  }

  namesWithPrefix(prefix: string, limit: number): readonly string[] {
    return this.map.table.withPrefix(prefix, limit);
  }

  readonly sources = () => [];
  readonly lineAt = () => undefined;
  readonly placesFor = async () => [];
  readonly linesWithCode = async () => [];
  readonly placesForFunction = async () => [];
  readonly bodyAt = () => undefined;
  readonly pastTracer = (address: bigint) => address;
  readonly functionAt = () => undefined;
  readonly inlineLevels = () => [];
  readonly variablesAt = () => [];
  readonly globals = () => [];
  readonly typeNamed = () => undefined;
  readonly macro = () => undefined;
  readonly enumerator = () => undefined;
  readonly locate = async () => ({ kind: 'optimized-out' }) as const;
  readonly placeAt = () => undefined;
  readonly unwind = async () => undefined;
  readonly close = () => undefined;
}
