/**
 * Paths as the compiler recorded them, and where the files are now: by launch.json's `sourceMap`, as recorded, or found
 * by their last components in the folders given for that, the program's folder and the folders above it.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';

/** How many folders above the program are searched; more would wander out of the project. */
const FOLDERS_UP = 6;

export class SourcePaths {
  private readonly found = new Map<string, string | undefined>();
  private readonly prefixes: readonly (readonly [recorded: string, here: string])[];
  private readonly folders: readonly string[];

  constructor(
    where: {
      readonly program: string;
      readonly sourceMap: Readonly<Record<string, string>>;
      readonly sourceFolders: readonly string[];
    },
    /** Asked each time: the paths of a large image become known while it is read. */
    private readonly recorded: () => readonly string[],
  ) {
    this.prefixes = Object.entries(where.sourceMap).sort(([a], [b]) => b.length - a.length);
    const above: string[] = [];
    for (let folder = dirname(where.program); above.length < FOLDERS_UP; folder = dirname(folder)) {
      above.push(folder);
      if (dirname(folder) === folder) break;
    }
    this.folders = [...new Set([...where.sourceFolders, ...above])];
  }

  /** The file on this machine for a recorded path; undefined when it is nowhere. */
  here(recorded: string): string | undefined {
    if (!this.found.has(recorded)) this.found.set(recorded, this.search(recorded));
    return this.found.get(recorded);
  }

  /** Recorded paths that stand for a file on this machine. */
  recordedFor(path: string): readonly string[] {
    const name = basename(path);
    const candidates = this.recorded().filter((recorded) => basename(recorded) === name);
    const same = candidates.filter((recorded) => {
      const here = this.here(recorded);
      return here !== undefined && sameFile(here, path);
    });
    if (same.length > 0) return same;
    // The file moved since it was compiled: the only one of its name must be it, and stays it for stack traces.
    const lost = candidates.filter((recorded) => this.here(recorded) === undefined);
    const [only] = lost;
    if (only === undefined || candidates.length !== 1) return [];
    if (existsSync(path)) this.found.set(only, path);
    return [only];
  }

  private search(recorded: string): string | undefined {
    for (const [prefix, here] of this.prefixes) {
      if (recorded === prefix || recorded.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)) {
        const mapped = join(here, recorded.slice(prefix.length));
        if (existsSync(mapped)) return normalize(mapped);
      }
    }
    if (isAbsolute(recorded) && existsSync(recorded)) return normalize(recorded);
    const parts = recorded.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
    for (let from = 0; from < parts.length; from++) {
      const tail = join(...parts.slice(from));
      const folder = this.folders.find((candidate) => existsSync(join(candidate, tail)));
      if (folder !== undefined) return join(folder, tail);
    }
    return undefined;
  }
}

function sameFile(a: string, b: string): boolean {
  if (normalize(a) === normalize(b)) return true;
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
