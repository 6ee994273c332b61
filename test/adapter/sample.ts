/** The sample guest that ships with Ringside, and places in its sources found by their markers. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..', '..');
export const SAMPLE = join(ROOT, 'media', 'sample', 'ringside-sample.elf');
const SOURCES = join(ROOT, 'test', 'guests', 'sample');

export interface MarkedLine {
  readonly path: string;
  readonly line: number;
}

/** The line that carries `#MARKER name`. */
export function marker(name: string): MarkedLine {
  for (const file of readdirSync(SOURCES).filter((entry) => /\.[chS]$/.test(entry))) {
    const path = join(SOURCES, file);
    const index = readFileSync(path, 'utf8')
      .split('\n')
      .findIndex((line) => new RegExp(`#MARKER ${name}\\s*(\\*/)?$`).test(line));
    if (index >= 0) return { path, line: index + 1 };
  }
  throw new Error(`no marker "${name}" in ${SOURCES}`);
}
