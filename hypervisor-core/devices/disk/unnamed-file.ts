/** Opens a new file that has no name any more: it takes up what is written to it, and is gone with this process. */
import { randomUUID } from 'node:crypto';
import { openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A descriptor for reading and writing. `what` is part of the name that the file has for a moment. */
export function unnamedFile(what: string): number {
  const path = join(tmpdir(), `ringside-${what}-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}
