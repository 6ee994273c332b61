/** A guest under a target with the symbols it runs with: all that is new at each launch and restart. */
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { OpenSymbols } from '../symbols/api.ts';
import { cacheFolder } from '../symbols/index/cache.ts';
import { SymbolSet } from '../symbols/symbol-set.ts';
import { openSymbols } from '../symbols/symbols.ts';
import { type Target, TargetError, type TargetThread } from '../target/target.ts';
import type { AttachArguments } from './attach-arguments.ts';
import { coreNotStarted, notAttached, unusableImage } from './errors.ts';
import type { LaunchArguments } from './launch-arguments.ts';
import { stampsOf } from './rewind.ts';
import { Runner } from './runner.ts';
import { SourcePaths } from './source-paths.ts';

export class Guest {
  readonly runner: Runner;
  private closing: Promise<void> | undefined;
  private known: readonly TargetThread[] | undefined;

  constructor(
    /** Path of the kernel or of its symbols, where it is known. */
    readonly program: string | undefined,
    readonly target: Target,
    readonly symbols: SymbolSet | undefined,
    readonly sources: SourcePaths,
    /** State of the files that it was made of. */
    readonly stamps: string,
  ) {
    this.runner = new Runner(target);
  }

  /** For messages. */
  get name(): string {
    return this.program === undefined ? this.target.name : basename(this.program);
  }

  /** The vCPUs; their number never changes. The first call needs a stopped guest. */
  async threads(): Promise<readonly TargetThread[]> {
    this.known ??= await this.target.threads();
    return this.known;
  }

  /** Lets the guest run on without us, wherever it stands. */
  async leave(): Promise<void> {
    await this.runner.whileStopped(() => this.target.detach());
    this.runner.abandon();
    this.closing ??= Promise.resolve(this.symbols?.close());
  }

  /** Ends the guest and lets go of its files; once, however often it is asked for. */
  close(): Promise<void> {
    this.closing ??= this.target.kill().then(
      () => this.symbols?.close(),
      () => this.symbols?.close(),
    );
    return this.closing;
  }
}

export type StartArguments = LaunchArguments | AttachArguments;

/** Boots a guest, or attaches to one, and leaves it stopped. `say` is told what the user should know. Throws `TargetError`. */
export type StartTarget = (args: StartArguments, say: (text: string) => void) => Promise<Target>;

/** Opens the symbols, boots the guest and leaves it at its first instruction, or attaches. Throws a `UserError`. */
export async function startGuest(
  args: StartArguments,
  startTarget: StartTarget,
  say: (text: string) => void,
  onSymbolProgress?: (fraction: number) => void,
): Promise<Guest> {
  const stamps = await stampsOf(args);
  const symbols = await symbolsFor(args, onSymbolProgress);
  const target = await startTarget(args, say).catch((error: unknown) => {
    symbols?.close();
    if (!(error instanceof TargetError)) throw error;
    throw args.request === 'launch' ? coreNotStarted(error.message) : notAttached(error.message);
  });
  const program = args.program ?? args.symbols;
  const guest = new Guest(
    program,
    target,
    symbols,
    new SourcePaths({ program: program ?? '', ...args }, () => symbols?.sources() ?? []),
    stamps,
  );
  await guest.threads();
  return guest;
}

/** A program that is no ELF file, such as a bzImage or a flat binary, has no symbols; whether it boots is the core's to say. */
async function symbolsFor(
  { symbols, program, moreSymbols }: StartArguments,
  onProgress?: (fraction: number) => void,
): Promise<SymbolSet | undefined> {
  const wanted = moreSymbols.map((path) => ({ attribute: 'moreSymbols', path }));
  if (symbols) wanted.unshift({ attribute: 'symbols', path: symbols });
  else if (program !== undefined && (await isElf(program))) wanted.unshift({ attribute: 'program', path: program });
  const opened: OpenSymbols[] = [];
  for (const { attribute, path } of wanted) {
    // The first is what takes long.
    const progress = onProgress && opened.length === 0 ? { onProgress } : {};
    const one = await openSymbols(path, { cache: cacheFolder(), ...progress }).catch((error: Error) => {
      for (const other of opened) other.close();
      throw unusableImage(attribute, path, error.message);
    });
    opened.push(one);
  }
  const [main, ...beside] = opened;
  return main && new SymbolSet(main, beside);
}

async function isElf(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString('latin1') === '\x7fELF';
  } finally {
    await file.close();
  }
}
