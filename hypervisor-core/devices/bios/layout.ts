/** Where a PC's BIOS keeps its things, as programs of its time know them (IBM PC/AT Technical Reference; RBIL, MEMORY.LST). */

export const SECTOR_BYTES = 512;

/** The keyboard's interrupt, which brings its scan code in AL. */
export const KEYBOARD = 0x09;

/** A port that no PC device answers: the BIOS's entries call the hypervisor by a write to it. */
export const BIOS_PORT = 0xeb;

/** Segment of the ROM, and the part of it that is ours. */
export const ROM_SEGMENT = 0xf000;
export const ROM = { start: 0xf_e000, end: 0x10_0000 };

/** Entry of interrupt n is at F000:{@link ENTRIES} + n * {@link ENTRY_BYTES}. */
export const ENTRIES = 0xf000;
export const ENTRY_BYTES = 8;
/** Where what the ROM knows of the machine lies in guest memory: the disk, then the memory map. */
export const DISK_TABLE = 0xf_e000;
export const MEMORY_TABLE = 0xf_e040;
/** Bytes of an entry of the memory map: base, length, type, as INT 15h E820h gives them. */
export const MEMORY_ENTRY_BYTES = 20;
export const MOST_MEMORY_ENTRIES = 96;
export const FLOPPY_TABLE = 0xefd0;

/** Fields of {@link DISK_TABLE}: address and length of the image in memory, geometry, the number that the BIOS knows it by. */
export const DISK = { start: 0, sectors: 4, cylinders: 8, heads: 10, sectorsPerTrack: 12, drive: 14 };

/** The BIOS data area: linear addresses. */
export const BDA = {
  ...{ com: 0x400, equipment: 0x410, memoryKib: 0x413, shift: 0x417, keyHead: 0x41a, keyTail: 0x41c, keys: 0x41e },
  ...{ floppyStatus: 0x441, videoMode: 0x449, columns: 0x44a, pageBytes: 0x44c, cursors: 0x450, cursorShape: 0x460 },
  ...{ page: 0x462, videoPort: 0x463, ticks: 0x46c, midnight: 0x470, diskStatus: 0x474, disks: 0x475 },
  ...{ keyStart: 0x480, keyEnd: 0x482, lastRow: 0x484, characterHeight: 0x485, keyFlags: 0x496 },
  ...{ waitUntil: 0x49c, waiting: 0x4a0 },
};
/** The ring of keys, two bytes each. */
export const KEYS = { start: 0x1e, end: 0x3e };
export const TEXT = { gpa: 0xb_8000, columns: 80, rows: 25, plain: 0x07 };
/** KiB of conventional memory below the extended BIOS data area. */
export const CONVENTIONAL_KIB = 636;
