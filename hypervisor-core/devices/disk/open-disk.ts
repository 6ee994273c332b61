/** Opens the disk image that a user names. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { Disk } from './disk.ts';
import { FileDisk } from './file-disk.ts';
import { OverlayDisk } from './overlay-disk.ts';

export interface DiskChoice {
  readonly path: string;
  /** The guest's writes go to the file; else they are forgotten when the machine ends. */
  readonly persist: boolean;
}

/** A disk image that cannot be used; the message says which, why, and what to do. */
export class DiskError extends Error {}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EROFS: 'the file system is read-only',
};

/** Throws {@link DiskError}. */
export function openDisk({ path, persist }: DiskChoice): Disk {
  const fd = open(path, persist);
  const stat = fstatSync(fd);
  if (!stat.isFile() || stat.size === 0) {
    closeSync(fd);
    throw new DiskError(`${path} is ${stat.isFile() ? 'empty' : 'not a file'}; a raw disk image is wanted`);
  }
  const file = new FileDisk(fd);
  return persist ? file : new OverlayDisk(file);
}

function open(path: string, persist: boolean): number {
  try {
    // Opening a pipe must not wait for its other end.
    return openSync(path, (persist ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const hint = persist && (code === 'EACCES' || code === 'EROFS') ? '; without persist it need not be writable' : '';
    throw new DiskError(`cannot open ${path}: ${reasons[code] ?? code}${hint}`);
  }
}
