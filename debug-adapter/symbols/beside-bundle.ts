/** Where the files lie that dist/ has beside its bundles. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** @param file Path in dist/; a test's bundle is one folder further down. */
export function besideBundle(file: string): string {
  const beside = join(__dirname, file);
  return existsSync(beside) ? beside : join(__dirname, '..', file);
}
