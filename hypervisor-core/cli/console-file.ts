/** What the guest prints on one of its consoles, kept in a file. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { ConsoleLog } from '../machine/api.ts';
import { UsageError } from './usage-error.ts';

/** Writes what is printed to a new file at `path`, named by `option`. Throws a {@link UsageError} when it cannot be made. */
export async function recordConsole(
  option: string,
  log: ConsoleLog,
  path: string,
): Promise<{ close(): Promise<void> }> {
  const file = createWriteStream(path);
  try {
    await once(file, 'open');
  } catch (error) {
    throw new UsageError(`${option}: cannot write ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  // A full disk ends the record and not the guest.
  file.on('error', (error) => process.stderr.write(`ringside: ${option}: ${error.message}\n`));
  const recording = log.onOutput((data) => file.write(data));
  return {
    async close() {
      recording.dispose();
      file.end();
      await finished(file).catch(() => undefined);
    },
  };
}
