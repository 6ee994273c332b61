/** What the guest sends on a serial port, kept in a file. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Machine } from '../machine/api.ts';
import { UsageError } from './usage-error.ts';

/** Writes what comes from COM `port` to a new file at `path`. Throws a {@link UsageError} when it cannot be made. */
export async function recordSerial(
  { serialPorts }: Pick<Machine, 'serialPorts'>,
  port: number,
  path: string,
): Promise<{ close(): Promise<void> }> {
  const file = createWriteStream(path);
  try {
    await once(file, 'open');
  } catch (error) {
    throw new UsageError(`--serial${port}: cannot write ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  // A full disk ends the record and not the guest.
  file.on('error', (error) => process.stderr.write(`ringside: --serial${port}: ${error.message}\n`));
  const recording = serialPorts[port - 1]?.onOutput((data) => file.write(data));
  return {
    async close() {
      recording?.dispose();
      file.end();
      await finished(file).catch(() => undefined);
    },
  };
}
