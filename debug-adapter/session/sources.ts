/** Files that the program was made from, and the program itself as a module. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Area } from './area.ts';
import { optionalInteger } from './arguments.ts';
import { noSource } from './errors.ts';
import { describeSource } from './stacks.ts';

const LONGEST_SOURCE = 16 * 1024 * 1024;
const MOST_MODULES = 10_000;

export const sources: Area = {
  capabilities: { supportsLoadedSourcesRequest: true, supportsModulesRequest: true },
  handlers: {
    loadedSources: async (session) => {
      const { symbols, sources: paths } = session.guest;
      await symbols?.indexed;
      return { sources: (symbols?.sources() ?? []).map((recorded) => describeSource(paths, recorded)) };
    },

    // Only files that the program names are handed out: a client may be another user's.
    source: async (session, args) => {
      const path = args.source?.path;
      const { symbols, sources: paths } = session.guest;
      await symbols?.indexed;
      const ours =
        typeof path === 'string' && (symbols?.sources() ?? []).some((recorded) => paths.here(recorded) === path);
      if (!ours || (await stat(path)).size > LONGEST_SOURCE) throw noSource(String(path));
      return { content: await readFile(path, 'utf8'), mimeType: 'text/x-c' };
    },

    modules: (session, args) => {
      const { symbols, program = '' } = session.guest;
      const first = optionalInteger('startModule', args.startModule, 0, MOST_MODULES, 0);
      const all = symbols
        ? [
            {
              id: 1,
              name: basename(program),
              path: program,
              symbolStatus: symbols.sources().length > 0 ? 'Symbols and lines loaded.' : 'No line information.',
              symbolFilePath: symbols.path,
              addressRange: hex(symbols.entry),
            },
          ]
        : [];
      return { modules: all.slice(first), totalModules: all.length };
    },
  },
};
