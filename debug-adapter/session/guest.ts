/** A guest under a target with the symbols it runs with: all that is new at each launch and restart. */
import { open } from 'node:fs/promises';
import { cacheFolder } from '../symbols/index/cache.ts';
import { type OpenSymbols, openSymbols } from '../symbols/symbols.ts';
import { type Target, TargetError, type TargetThread } from '../target/target.ts';
import { coreNotStarted, unusableImage } from './errors.ts';
import type { LaunchArguments } from './launch-arguments.ts';
import { Runner } from './runner.ts';
import { SourcePaths } from './source-paths.ts';

export class Guest {
  readonly runner: Runner;
  private closing: Promise<void> | undefined;
  private known: readonly TargetThread[] | undefined;

  constructor(
    readonly program: string,
    readonly target: Target,
    readonly symbols: OpenSymbols | undefined,
    readonly sources: SourcePaths,
  ) {
    this.runner = new Runner(target);
  }

  /** The vCPUs; their number never changes. The first call needs a stopped guest. */
  async threads(): Promise<readonly TargetThread[]> {
    this.known ??= await this.target.threads();
    return this.known;
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

/** Boots a guest and leaves it at its first instruction. Throws `TargetError`. */
export type StartTarget = (args: LaunchArguments) => Promise<Target>;

/** Opens the symbols, boots the guest and leaves it at its first instruction. Throws a `UserError`. */
export async function startGuest(
  args: LaunchArguments,
  startTarget: StartTarget,
  onSymbolProgress?: (fraction: number) => void,
): Promise<Guest> {
  const symbols = await symbolsFor(args, onSymbolProgress);
  const target = await startTarget(args).catch((error: unknown) => {
    symbols?.close();
    throw error instanceof TargetError ? coreNotStarted(error.message) : error;
  });
  const guest = new Guest(
    args.program,
    target,
    symbols,
    new SourcePaths(args.program, args.sourceMap, () => symbols?.sources() ?? []),
  );
  await guest.threads();
  return guest;
}

/** A program that is no ELF file, such as a bzImage or a flat binary, has no symbols; whether it boots is the core's to say. */
async function symbolsFor(
  { symbols, program }: LaunchArguments,
  onProgress?: (fraction: number) => void,
): Promise<OpenSymbols | undefined> {
  if (!symbols && !(await isElf(program))) return undefined;
  const image = symbols ?? program;
  return openSymbols(image, { cache: cacheFolder(), ...(onProgress ? { onProgress } : {}) }).catch((error: Error) => {
    throw unusableImage(symbols ? 'symbols' : 'program', image, error.message);
  });
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
