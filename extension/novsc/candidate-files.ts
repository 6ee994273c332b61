/**
 * Files of a folder that may be kernels. They are looked for here and not by VS Code's search, which may not have come up yet
 * when F5 is pressed in a new window, and then never answers.
 */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['node_modules', '.git', '.vscode', '.cache']);
/** A kernel's file has no name ending of its own: these are left out because they are many and are never one. */
const NEVER: ReadonlySet<string> = new Set(
  [
    ...['c', 'h', 'S', 's', 'o', 'a', 'd', 'cpp', 'hpp', 'rs', 'py', 'js', 'ts', 'json', 'md', 'txt', 'html', 'css'],
    ...['png', 'svg', 'map', 'log', 'ld', 'mk', 'yml', 'yaml', 'toml', 'sh', 'cmd', 'gz', 'xz', 'zip', 'rlib'],
    ...['rmeta', 'so', 'ko'],
  ].map((ending) => `.${ending}`),
);
const MAX_FILES = 20_000;
const MAX_FOLDERS = 20_000;

/** Paths below `folder`, those nearest to it first, up to 20,000; links are not followed, what cannot be read is left out. */
export async function* candidateFiles(folder: string): AsyncGenerator<string> {
  const folders = [folder];
  let files = 0;
  // The list grows while it is gone through.
  for (const at of folders) {
    for (const entry of await entriesOf(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name) && folders.length < MAX_FOLDERS) folders.push(path);
      if (!entry.isFile() || NEVER.has(extname(entry.name))) continue;
      yield path;
      if (++files === MAX_FILES) return;
    }
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
