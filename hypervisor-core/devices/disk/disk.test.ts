import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { SECTOR } from './disk.ts';
import { DiskError, openDisk } from './open-disk.ts';
import { SectorSet } from './sector-set.ts';

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
  test('with a throw-away overlay, equals an array of bytes that the file never sees', async () => {
    const SECTORS = 40;
    const step = fc.record({
      write: fc.boolean(),
      sector: fc.nat(SECTORS - 1),
      count: fc.integer({ min: 1, max: 12 }),
      byte: fc.nat(255),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const path = image(pattern(SECTORS));
        const disk = openDisk({ path, persist: false });
        const expected = pattern(SECTORS);
        for (const { write, sector, count, byte } of steps) {
          const end = Math.min(sector + count, SECTORS) * SECTOR;
          const bytes = Buffer.alloc(end - sector * SECTOR, byte);
          if (write) {
            await disk.write(sector, bytes);
            bytes.copy(expected, sector * SECTOR);
          } else {
            await disk.read(sector, bytes);
            assert.deepEqual(bytes, expected.subarray(sector * SECTOR, end));
          }
        }
        disk.close();
        assert.deepEqual(readFileSync(path), pattern(SECTORS));
      }),
      { numRuns: 50 },
    );
    assert.deepEqual(
      readdirSync(tmpdir()).filter((name) => name.startsWith('ringside-overlay-')),
      [],
    );
  });

  test('persistent, is the file', async () => {
    const path = image(pattern(4));
    const disk = openDisk({ path, persist: true });
    await disk.write(2, Buffer.alloc(SECTOR, 0xee));
    await disk.flush();
    disk.close();
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

test('a set of sectors tells runs of members and of others', () => {
  const set = new SectorSet();
  set.add(2046, 2050);
  set.add(5_000_000_000, 5_000_000_001);
  assert.deepEqual(
    [2045, 2046, 2049, 2050].map((sector) => set.has(sector)),
    [false, true, true, false],
  );
  assert.deepEqual([set.alike(0, 4096), set.alike(2046, 4096), set.alike(2050, 4096)], [2046, 4, 2046]);
  assert.equal(set.has(5_000_000_000), true);
});
