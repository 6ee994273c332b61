/** Archives that Linux unpacks as its first file system: cpio's "newc" format, Documentation/driver-api/early-userspace/buffer-format.rst. */

export interface ArchiveFile {
  /** Without a slash at its start; the folders that it is in come before it. */
  readonly path: string;
  /** File type and permissions, as `st_mode`. */
  readonly mode: number;
  readonly data?: Uint8Array;
  /** Of a device node. */
  readonly device?: { readonly major: number; readonly minor: number };
}

export const FOLDER = 0o040755;
export const PROGRAM = 0o100755;
export const PLAIN = 0o100644;
export const CHARACTER_DEVICE = 0o020600;

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';

/** The whole archive, uncompressed. */
export function cpio(files: readonly ArchiveFile[]): Uint8Array {
  const all = [...files, { path: TRAILER, mode: 0 }];
  return Buffer.concat(all.flatMap((file, index) => entry(file, index + 1)));
}

function entry({ path, mode, data = new Uint8Array(), device }: ArchiveFile, inode: number): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const [links, owner, group, time, place] = [1, 0, 0, 0, 0];
  const { major, minor } = device ?? { major: 0, minor: 0 };
  const numbers = [inode, mode, owner, group, links, time, data.length, place, place, major, minor, name.length, 0];
  const header = Buffer.from(MAGIC + numbers.map((number) => number.toString(16).padStart(8, '0')).join(''));
  return [header, name, padding(header.length + name.length), data, padding(data.length)];
}

/** Headers with their names, and contents, end at a multiple of four bytes. */
const padding = (length: number) => new Uint8Array((4 - (length % 4)) % 4);
