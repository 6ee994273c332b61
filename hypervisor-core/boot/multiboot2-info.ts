/** The Multiboot2 boot information, version 2.0, section 3.6: a list of tags, each 8-byte aligned. */
import { PIXEL } from './boot-image.ts';
import { basicMemory } from './guest-memory.ts';
import { type InfoBytes, type InfoFormat, LOADER_NAME, MULTIBOOT_RGB, zeroTerminated } from './handover.ts';

export const BOOTLOADER_MAGIC2 = 0x36d7_6289n;

const TAG = {
  ...{ end: 0, commandLine: 1, loaderName: 2, module: 3, memory: 4, memoryMap: 6 },
  ...{ framebuffer: 8, sections: 9, loadBase: 21 },
};
const TAG_HEADER = 8;
const MMAP_ENTRY_SIZE = 24;

/**
 * Section 3.6.12, framebuffer_bpp to color_info. The table there has one reserved byte, multiboot2.h and GRUB have two, so
 * that color_info begins at offset 32.
 */
const FRAMEBUFFER_FORMAT = [PIXEL.bits, MULTIBOOT_RGB.type, 0, 0, ...MULTIBOOT_RGB.colours];

/** Appends a tag: its header, then 32-bit words, then bytes. Returns the offset behind the words. */
function tag(out: InfoBytes, type: number, words: readonly number[], tail: Uint8Array = new Uint8Array()): number {
  const size = TAG_HEADER + words.length * 4 + tail.length;
  const at = out.reserve(size);
  [type, size, ...words].forEach((word, index) => {
    out.view.setUint32(at + index * 4, word, true);
  });
  const tailAt = at + TAG_HEADER + words.length * 4;
  out.bytes.set(tail, tailAt);
  return tailAt;
}

export const multiboot2Info: InfoFormat = {
  structureSize: 8,
  write(out, { commandLine, modules, memory, sections, loadBase, framebuffer }) {
    const commandLineAt = tag(out, TAG.commandLine, [], zeroTerminated(commandLine));
    tag(out, TAG.loaderName, [], zeroTerminated(LOADER_NAME));
    for (const { start, end, commandLine: text } of modules) {
      tag(out, TAG.module, [Number(start), Number(end)], zeroTerminated(text));
    }
    const basic = basicMemory(memory);
    tag(out, TAG.memory, [basic.lower, basic.upper]);
    const map = tag(out, TAG.memoryMap, [MMAP_ENTRY_SIZE, 0], new Uint8Array(memory.length * MMAP_ENTRY_SIZE));
    memory.forEach((entry, index) => {
      const at = map + index * MMAP_ENTRY_SIZE;
      out.view.setBigUint64(at, entry.start, true);
      out.view.setBigUint64(at + 8, entry.end - entry.start, true);
      out.view.setUint32(at + 16, entry.usable ? 1 : 2, true);
    });
    if (framebuffer) {
      const { address, stride, width, height } = framebuffer;
      const words = [Number(address & 0xffff_ffffn), Number(address >> 32n), stride, width, height];
      tag(out, TAG.framebuffer, words, Uint8Array.from(FRAMEBUFFER_FORMAT));
    }
    if (sections) tag(out, TAG.sections, [sections.count, sections.entrySize, sections.names], sections.headers);
    tag(out, TAG.loadBase, [Number(loadBase)]);
    tag(out, TAG.end, []);
    out.view.setUint32(0, out.end, true);
    return out.address(commandLineAt);
  },
};
