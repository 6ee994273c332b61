/**
 * The Multiboot information structure, version 0.6.96, section 3.3. Ringside hands it to 32-bit multiboot kernels, and,
 * because a memory map and modules are of use there too, to kernels that are entered as ELF or flat binary.
 */
import { type BootFramebuffer, PIXEL } from './boot-image.ts';
import { basicMemory } from './guest-memory.ts';
import { type InfoFormat, LOADER_NAME, MULTIBOOT_RGB } from './handover.ts';

export const BOOTLOADER_MAGIC = 0x2bad_b002n;

const MODULE_SIZE = 16;
const MMAP_ENTRY_SIZE = 24;
const FLAG = {
  memory: 1 << 0,
  commandLine: 1 << 2,
  modules: 1 << 3,
  sections: 1 << 5,
  memoryMap: 1 << 6,
  loaderName: 1 << 9,
  framebuffer: 1 << 12,
};

/** framebuffer_addr to color_info, offsets 88 to 115. */
function writeFramebuffer(view: DataView, { address, stride, width, height }: BootFramebuffer): void {
  view.setBigUint64(88, address, true);
  view.setUint32(96, stride, true);
  view.setUint32(100, width, true);
  view.setUint32(104, height, true);
  view.setUint8(108, PIXEL.bits);
  view.setUint8(109, MULTIBOOT_RGB.type);
  MULTIBOOT_RGB.colours.forEach((byte, index) => {
    view.setUint8(110 + index, byte);
  });
}

export const multiboot1Info: InfoFormat = {
  structureSize: 120,
  write(out, { commandLine, modules, memory, sections, framebuffer }) {
    const { view } = out;
    const pointer = (offset: number, address: bigint) => view.setUint32(offset, Number(address), true);
    let flags = FLAG.memory | FLAG.commandLine | FLAG.memoryMap | FLAG.loaderName;
    const basic = basicMemory(memory);
    view.setUint32(4, basic.lower, true);
    view.setUint32(8, basic.upper, true);
    const commandLineAt = out.string(commandLine);
    pointer(16, commandLineAt);
    if (modules.length > 0) {
      flags |= FLAG.modules;
      const list = out.reserve(modules.length * MODULE_SIZE);
      view.setUint32(20, modules.length, true);
      pointer(24, out.address(list));
      modules.forEach((module, index) => {
        const at = list + index * MODULE_SIZE;
        pointer(at, module.start);
        pointer(at + 4, module.end);
        pointer(at + 8, out.string(module.commandLine));
      });
    }
    if (sections) {
      flags |= FLAG.sections;
      view.setUint32(28, sections.count, true);
      view.setUint32(32, sections.entrySize, true);
      pointer(36, out.address(out.append(sections.headers)));
      view.setUint32(40, sections.names, true);
    }
    const map = out.reserve(memory.length * MMAP_ENTRY_SIZE);
    view.setUint32(44, memory.length * MMAP_ENTRY_SIZE, true);
    pointer(48, out.address(map));
    memory.forEach((entry, index) => {
      const at = map + index * MMAP_ENTRY_SIZE;
      // The size field counts what follows it; entries start every size + 4 bytes.
      view.setUint32(at, MMAP_ENTRY_SIZE - 4, true);
      view.setBigUint64(at + 4, entry.start, true);
      view.setBigUint64(at + 12, entry.end - entry.start, true);
      view.setUint32(at + 20, entry.usable ? 1 : 2, true);
    });
    pointer(64, out.string(LOADER_NAME));
    if (framebuffer) {
      flags |= FLAG.framebuffer;
      writeFramebuffer(view, framebuffer);
    }
    view.setUint32(0, flags, true);
    return commandLineAt;
  },
};
