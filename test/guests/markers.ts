/** Finds lines of the sample guest's sources by their `//#MARKER name` comments, so that no test knows a line number. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of the sources; tests run bundled in dist/test. */
export const sampleSources = join(__dirname, '../../test/guests/sample');

export const sampleKernel = join(__dirname, '../../media/sample/ringside-sample.elf');

export interface Marker {
  /** Absolute path. */
  readonly path: string;
  /** Counts from 1. */
  readonly line: number;
}

/** The one line that carries the marker; throws where there is none or more than one. */
export function marker(name: string): Marker {
  const pattern = new RegExp(`//#MARKER ${name}\\s*$`);
  const found = readdirSync(sampleSources)
    .filter((file) => /\.[chS]$/.test(file))
    .flatMap((file) => {
      const path = join(sampleSources, file);
      const lines = readFileSync(path, 'utf8').split('\n');
      return lines.flatMap((text, index): Marker[] => (pattern.test(text) ? [{ path, line: index + 1 }] : []));
    });
  const [only] = found;
  if (!only || found.length > 1) throw new Error(`marker ${name} stands on ${found.length} lines`);
  return only;
}
