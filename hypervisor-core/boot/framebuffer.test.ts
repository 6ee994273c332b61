/** What each boot protocol says of a framebuffer, byte by byte, and that it says nothing where there is none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bzImage, elf32WithPvhNote, multiboot1Image, multiboot2Image } from '../../test/core/boot-files.ts';
import { boot } from './boot.ts';
import type { BootImage, BootRequest } from './boot-image.ts';
import { BOOT_PARAMS_OFFSET as AT } from './linux-info.ts';

const framebuffer = { address: 0xc000_0000n, size: 0x24_0000, width: 1000, height: 577, stride: 4000 };
const code = Buffer.alloc(64, 0xf4);

function booted(file: Uint8Array, more: Partial<BootRequest>): BootImage {
  return boot({ name: 'kernel', file, commandLine: 'quiet', ram: [{ start: 0n, end: 0x100_0000n }], ...more });
}

/** The bytes that a register of the first vCPU points to. */
function pointedTo(image: BootImage, register: 'rbx' | 'rsi'): Buffer {
  const at = image.cpu.general[register] ?? assert.fail(register);
  return Buffer.from(image.segments.find(({ gpa }) => gpa === at)?.bytes ?? assert.fail('nothing there'));
}

/** Position and size of red, green and blue, in bits. */
const COLOURS = [16, 8, 8, 8, 0, 8];

describe('multiboot 1', () => {
  const info = (more: Partial<BootRequest>) => pointedTo(booted(multiboot1Image(code), more), 'rbx');

  test('flag 12 and the fields from offset 88 on', () => {
    const told = info({ framebuffer });
    assert.equal(told.readUInt32LE(0), 0x1245);
    assert.equal(told.readBigUInt64LE(88), 0xc000_0000n);
    assert.deepEqual(
      [96, 100, 104].map((offset) => told.readUInt32LE(offset)),
      [4000, 1000, 577],
    );
    assert.deepEqual([...told.subarray(108, 116)], [32, 1, ...COLOURS]);
  });

  test('none', () => {
    const told = info({});
    assert.equal(told.readUInt32LE(0) & (1 << 12), 0);
    assert.deepEqual(told.subarray(72, 116), Buffer.alloc(44));
  });
});

describe('multiboot 2', () => {
  /** The tags of a type. */
  function tags(wanted: number, more: Partial<BootRequest>): Buffer[] {
    const info = pointedTo(booted(multiboot2Image(code), more), 'rbx');
    const found: Buffer[] = [];
    for (let at = 8; at < info.readUInt32LE(0); ) {
      const [type, size] = [info.readUInt32LE(at), info.readUInt32LE(at + 4)];
      if (type === wanted) found.push(info.subarray(at, at + size));
      at += Math.ceil(size / 8) * 8;
    }
    return found;
  }

  test('a tag of type 8', () => {
    const [tag, ...more] = tags(8, { framebuffer });
    assert.ok(tag);
    assert.deepEqual(more, []);
    assert.equal(tag.length, 38);
    assert.equal(tag.readBigUInt64LE(8), 0xc000_0000n);
    assert.deepEqual(
      [16, 20, 24].map((offset) => tag.readUInt32LE(offset)),
      [4000, 1000, 577],
    );
    assert.deepEqual([...tag.subarray(28)], [32, 1, 0, 0, ...COLOURS]);
    assert.equal(tags(0, { framebuffer }).length, 1);
  });

  test('none', () => assert.deepEqual(tags(8, {}), []));
});

describe('Linux', () => {
  const page = (more: Partial<BootRequest>) => pointedTo(booted(bzImage(code), more), 'rsi');

  test('screen_info of type VLFB, its size in units of 64 KiB', () => {
    const told = page({ framebuffer });
    const screen = (field: string) => AT[`screen_info.${field}` as keyof typeof AT];
    assert.equal(told[screen('orig_video_isVGA')], 0x23);
    assert.deepEqual(
      ['lfb_width', 'lfb_height', 'lfb_depth', 'lfb_linelength'].map((field) => told.readUInt16LE(screen(field))),
      [1000, 577, 32, 4000],
    );
    assert.equal(told.readUInt32LE(screen('lfb_base')), 0xc000_0000);
    assert.equal(told.readUInt32LE(screen('lfb_size')), 0x24);
    assert.deepEqual(
      ['red', 'green', 'blue', 'rsvd'].map((name) => [told[screen(`${name}_pos`)], told[screen(`${name}_size`)]]),
      [
        [16, 8],
        [8, 8],
        [0, 8],
        [24, 8],
      ],
    );
  });

  test('none', () => assert.deepEqual(page({}).subarray(0, 0x40), Buffer.alloc(0x40)));
});

test('PVH has no field for it', () => {
  const file = elf32WithPvhNote(code);
  const info = (more: Partial<BootRequest>) => pointedTo(booted(file, more), 'rbx');
  assert.deepEqual(info({ framebuffer }), info({}));
});
