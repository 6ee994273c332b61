/** Files that the program was made from. */
import { readFile, stat } from 'node:fs/promises';
import type { Area } from './area.ts';
import { noSource } from './errors.ts';
import { describeSource } from './stacks.ts';

const LONGEST_SOURCE = 16 * 1024 * 1024;

export const sources: Area = {
  capabilities: { supportsLoadedSourcesRequest: true },
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
  },
};
