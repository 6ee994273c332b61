import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { BLOCK, type DiskSnapshot, SECTOR } from './disk.ts';
import { DiskError, openDisk } from './open-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-disk-'));
after(() => rmSync(folder, { recursive: true }));

function image(bytes: Uint8Array): string {
  const path = join(folder, 'image');
  writeFileSync(path, bytes);
  return path;
}

const pattern = (sectors: number) =>
  Buffer.from(Array.from({ length: sectors * SECTOR }, (_, at) => Math.floor(at / SECTOR)));

describe('a raw disk image', () => {
  test('with a throw-away overlay, equals an array of bytes that the file never sees, at every snapshot', async () => {
    const SECTORS = 40;
    const name = fc.constantFrom('a', 'b', 'c');
    const part = { sector: fc.nat(SECTORS - 1), count: fc.integer({ min: 1, max: 12 }), byte: fc.nat(255) };
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('read', 'write'), ...part }),
      fc.record({ kind: fc.constantFrom('take', 'restore', 'remove', 'copy'), name }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const path = image(pattern(SECTORS));
        const disk = openDisk({ path, persist: false });
        const { snapshots } = disk;
        assert.ok(snapshots);
        let expected = pattern(SECTORS);
        const taken = new Map<string, { snapshot: DiskSnapshot; bytes: Buffer }>();
        const remove = (name: string) => {
          const old = taken.get(name);
          if (old) snapshots.remove(old.snapshot);
          taken.delete(name);
        };
        const changes: Record<string, (name: string) => void | Promise<void>> = {
          remove,
          take: (name) => {
            remove(name);
            taken.set(name, { snapshot: snapshots.take(), bytes: Buffer.from(expected) });
          },
          restore: (name) => {
            const old = taken.get(name);
            snapshots.restore(old?.snapshot);
            expected = Buffer.from(old?.bytes ?? pattern(SECTORS));
          },
          // As through a file.
          copy: async (name) => {
            const old = taken.get(name);
            if (!old) return;
            const snapshot = await snapshots.adopt(snapshots.contents(old.snapshot));
            snapshots.remove(old.snapshot);
            taken.set(name, { ...old, snapshot });
          },
        };
        for (const step of steps) {
          if ('name' in step) {
            await changes[step.kind]?.(step.name);
            continue;
          }
          const { kind, sector, count, byte } = step;
          const end = Math.min(sector + count, SECTORS) * SECTOR;
          const bytes = Buffer.alloc(end - sector * SECTOR, byte);
          if (kind === 'write') {
            await disk.write(sector, bytes);
            bytes.copy(expected, sector * SECTOR);
          } else {
            await disk.read(sector, bytes);
            assert.deepEqual(bytes, expected.subarray(sector * SECTOR, end));
          }
        }
        const all = Buffer.alloc(SECTORS * SECTOR);
        await disk.read(0, all);
        assert.deepEqual(all, expected);
        disk.close();
        assert.deepEqual(readFileSync(path), pattern(SECTORS));
      }),
      { numRuns: 200 },
    );
    assert.deepEqual(
      readdirSync(tmpdir()).filter((name) => name.startsWith('ringside-overlay-')),
      [],
    );
  });

  test('takes no block from a snapshot file that it does not have, nor one twice', async () => {
    const disk = openDisk({ path: image(pattern(9)), persist: false });
    async function* runs(...firsts: readonly number[]) {
      for (const first of firsts) yield { first, bytes: new Uint8Array(BLOCK) };
    }
    await assert.rejects(async () => disk.snapshots?.adopt(runs(2)), /block 2 is not expected/);
    await assert.rejects(async () => disk.snapshots?.adopt(runs(1, 1)), /block 1 is not expected/);
    const snapshot = await disk.snapshots?.adopt(runs(1));
    disk.snapshots?.restore(snapshot);
    const bytes = Buffer.alloc(9 * SECTOR);
    await disk.read(0, bytes);
    disk.close();
    assert.deepEqual([bytes[7 * SECTOR], bytes[8 * SECTOR]], [7, 0]);
  });

  test('persistent, is the file', async () => {
    const path = image(pattern(4));
    const disk = openDisk({ path, persist: true });
    await disk.write(2, Buffer.alloc(SECTOR, 0xee));
    await disk.flush();
    disk.close();
    assert.equal(disk.snapshots, undefined);
    const file = readFileSync(path);
    assert.deepEqual([file[1023], file[1024], file[1535], file[1536]], [1, 0xee, 0xee, 3]);
  });

  test('may end within a sector: the rest reads as zeros', async () => {
    const disk = openDisk({ path: image(Buffer.alloc(700, 1)), persist: false });
    const bytes = Buffer.alloc(2 * SECTOR, 9);
    await disk.read(0, bytes);
    disk.close();
    assert.deepEqual([disk.sectors, bytes[699], bytes[700], bytes[1023]], [2, 1, 0, 0]);
  });

  test('must be a file with something in it', () => {
    const refused = (path: string, words: RegExp) =>
      assert.throws(
        () => openDisk({ path, persist: false }),
        (error) => error instanceof DiskError && words.test(error.message),
      );
    refused(join(folder, 'none'), /none: there is no such file/);
    refused(image(Buffer.alloc(0)), /is empty; a raw disk image is wanted/);
    mkdirSync(join(folder, 'sub'));
    refused(join(folder, 'sub'), /is not a file/);
  });
});
