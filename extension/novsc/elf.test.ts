import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { KERNEL_PROBE_BYTES, looksLikeKernel } from './elf.ts';

const root = join(__dirname, '../..');

function head(path: string): Buffer {
  const file = openSync(path, 'r');
  const bytes = Buffer.alloc(KERNEL_PROBE_BYTES);
  try {
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(file);
  }
}

describe('looksLikeKernel', () => {
  test('takes the sample guest', () => {
    assert.equal(looksLikeKernel(head(join(root, 'media/sample/ringside-sample.elf'))), true);
  });

  test('leaves programs of the host alone', () => {
    assert.equal(looksLikeKernel(head('/bin/sh')), false);
    assert.equal(looksLikeKernel(head(process.execPath)), false);
  });

  test('leaves files that are no ELF alone', () => {
    assert.equal(looksLikeKernel(head(join(root, 'package.json'))), false);
    assert.equal(looksLikeKernel(new Uint8Array(0)), false);
  });

  test('leaves other machines and object files alone', () => {
    const sample = head(join(root, 'media/sample/ringside-sample.elf'));
    const changed = (offset: number, value: number) => {
      const copy = Buffer.from(sample);
      copy.writeUInt16LE(value, offset);
      return copy;
    };
    assert.equal(looksLikeKernel(changed(16, 1)), false, 'a relocatable file');
    assert.equal(looksLikeKernel(changed(16, 3)), false, 'a shared object');
    assert.equal(looksLikeKernel(changed(18, 183)), false, 'AArch64');
  });

  test('never throws on damaged headers', () => {
    const sample = head(join(root, 'media/sample/ringside-sample.elf'));
    fc.assert(
      fc.property(fc.nat(sample.length), fc.array(fc.tuple(fc.nat(127), fc.nat(255))), (length, edits) => {
        const copy = Buffer.from(sample.subarray(0, length));
        for (const [offset, value] of edits) if (offset < copy.length) copy[offset] = value;
        assert.equal(typeof looksLikeKernel(copy), 'boolean');
      }),
    );
  });
});
