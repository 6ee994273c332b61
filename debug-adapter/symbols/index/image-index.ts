/**
 * What an image defines, by name, and its source files. A small image is read when it is first asked; a large one by a
 * thread of its own, and until that is done a name is looked for only where {@link UnitHints} say it may be.
 */
import type { Worker } from 'node:worker_threads';
import { type DebugInfo, smallImage } from '../debug-info.ts';
import type { Die } from '../die.ts';
import type { Unit } from '../unit.ts';
import { buildColumns, type ImageColumns } from './build.ts';
import { cacheFile, readCached } from './cache.ts';
import { type NameKind, nameKinds } from './name-kinds.ts';
import { NameTable, NameTableBuilder } from './name-table.ts';
import { startThread } from './thread.ts';
import { scanUnit } from './unit-names.ts';

/** Units that may define a name, without reading all, in no order and some more than once. */
export type UnitHints = (name: string, kind: NameKind) => Iterable<Unit>;

export interface IndexOptions {
  /** Folder of kept indexes; none are kept when absent. */
  readonly cache?: string;
  /** Called now and then with a fraction from 0 to 1 while a large image is read. */
  readonly onProgress?: (fraction: number) => void;
}

const keptTables = 16;

export class ImageIndex {
  /** Resolves when all names and sources are known; at once for a small image. Never rejects. */
  readonly ready: Promise<void>;
  private columns: ImageColumns | undefined;
  private table: NameTable | undefined;
  private unitsOf: Map<string, number> | undefined;
  private readonly unitTables = new Map<Unit, NameTable>();
  private readonly isLarge: boolean;
  private worker: Worker | undefined;
  private stopped = false;

  constructor(
    private readonly info: DebugInfo,
    private readonly hints: UnitHints,
    private readonly options: IndexOptions,
  ) {
    this.isLarge = info.infoSize > smallImage;
    this.ready = this.isLarge ? this.fetch() : Promise.resolve();
  }

  /** Whether all names are known. Until then {@link find} gives the first entries of a name, or none. */
  get isWhole(): boolean {
    return !this.isLarge || this.columns !== undefined;
  }

  /** Entries of that name, in the file's order; for an enumerator, its enumeration. */
  *find(name: string, kind: NameKind): Generator<Die> {
    const names = this.names;
    if (names) yield* this.named(names, name, kind);
    else yield* this.findByHints(name, kind);
  }

  /** As {@link find}, in one unit. */
  *findIn(unit: Unit, name: string, kind: NameKind): Generator<Die> {
    let table = this.unitTables.get(unit);
    if (!table) {
      const builder = new NameTableBuilder(this.info.section('.debug_str'), false);
      this.info.tolerate(() => scanUnit(unit, builder), undefined);
      table = new NameTable(builder.finish());
      const [oldest] = this.unitTables.keys();
      if (oldest && this.unitTables.size >= keptTables) this.unitTables.delete(oldest);
      this.unitTables.set(unit, table);
    }
    yield* this.named(table, name, kind);
  }

  /** Paths of all source files. */
  sources(): readonly string[] {
    return this.all?.sources.paths ?? [];
  }

  /** Units with a source file in their line table. */
  unitsFor(path: string): Unit[] {
    const sources = this.all?.sources;
    if (!sources) return [];
    this.unitsOf ??= new Map(sources.paths.map((each, index) => [each, index]));
    const index = this.unitsOf.get(path);
    if (index === undefined) return [];
    const numbers = sources.units.subarray(sources.starts[index], sources.starts[index + 1]);
    return [...numbers].flatMap((number) => this.info.units[number] ?? []);
  }

  /** Reads no further: what is not known by now is looked for only where hints say. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.worker?.terminate();
  }

  private *findByHints(name: string, kind: NameKind): Generator<Die> {
    const units = [...new Set(this.hints(name, kind))].sort((a, b) => a.index - b.index);
    for (const unit of units) yield* this.findIn(unit, name, kind);
  }

  private *named(table: NameTable, name: string, kind: NameKind): Generator<Die> {
    for (const { die: offset } of table.find(name, nameKinds[kind])) {
      const die = this.info.tolerate(() => this.info.dieAt(offset), undefined);
      if (die && (kind === 'enumerator' || die.name === name)) yield die;
    }
  }

  private get names(): NameTable | undefined {
    const all = this.all;
    if (all) this.table ??= new NameTable(all.names);
    return this.table;
  }

  private get all(): ImageColumns | undefined {
    if (!this.isLarge) this.columns ??= buildColumns(this.info);
    return this.columns;
  }

  private async fetch(): Promise<void> {
    const { cache } = this.options;
    const file = cache === undefined ? undefined : cacheFile(cache, this.info);
    const cached = file === undefined ? undefined : await readCached(file, this.info);
    this.columns = cached ?? (this.stopped ? undefined : await this.build(file));
  }

  /** Undefined when it was stopped meanwhile, or when the thread failed, which is noted. */
  private build(file: string | undefined): Promise<ImageColumns | undefined> {
    return new Promise((resolve) => {
      const order = { kind: 'image', path: this.info.dwarf.path, ...(file === undefined ? {} : { file }) } as const;
      const worker = startThread(order, (message) => {
        if (message.type === 'progress') this.options.onProgress?.(message.fraction);
        else if (message.type === 'done') {
          for (const problem of message.problems) this.info.addProblem(problem);
          resolve(message.columns);
        }
      });
      this.worker = worker;
      worker.on('error', (error) => this.info.addProblem(`the names of the image could not be read: ${error.message}`));
      worker.on('exit', () => resolve(undefined));
    });
  }
}
