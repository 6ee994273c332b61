/**
 * The BIOS in guest memory: interrupt vectors, data area, and a ROM whose entries call the hypervisor (services.ts). The disk
 * is an image in memory behind what the memory map tells.
 */
import {
  BDA,
  BIOS_PORT,
  CONVENTIONAL_KIB,
  DISK,
  DISK_TABLE,
  ENTRIES,
  ENTRY_BYTES,
  FLOPPY_TABLE,
  KEYBOARD,
  KEYS,
  MEMORY_ENTRY_BYTES,
  MEMORY_TABLE,
  ROM,
  ROM_SEGMENT,
  SECTOR_BYTES,
  TEXT,
} from './layout.ts';
import { services } from './services.ts';

export interface BiosDisk {
  /** Guest-physical address of the image. */
  readonly start: number;
  /** Bytes, whole sectors. */
  readonly size: number;
}

export interface BiosMemory {
  readonly start: bigint;
  readonly end: bigint;
  readonly usable: boolean;
}

interface Geometry {
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

const FIRST_HARD_DISK = 0x80;
/** Diskettes by their number of sectors. */
const FLOPPIES = new Map<number, Geometry>([
  [720, { heads: 2, sectorsPerTrack: 9 }],
  [1440, { heads: 2, sectorsPerTrack: 9 }],
  [2400, { heads: 2, sectorsPerTrack: 15 }],
  [2880, { heads: 2, sectorsPerTrack: 18 }],
  [5760, { heads: 2, sectorsPerTrack: 36 }],
]);
const HARD_DISK: Geometry = { heads: 16, sectorsPerTrack: 63 };
const MOST_CYLINDERS = 1024;

/** The number by which the BIOS gives the disk to the boot sector, in DL: an image of a diskette's size is one. */
export const driveOf = (size: number): number => (FLOPPIES.has(size / SECTOR_BYTES) ? 0 : FIRST_HARD_DISK);

/** Interrupts that are services, apart from the keyboard's, which has a routine of its own. */
const SERVICES = [...services.keys()].filter((vector) => vector !== KEYBOARD);
const TIMER = 0x08;
const RESET = 0x19;

/** out BIOS_PORT, al; jc wait; iret; wait: sti; hlt; jmp back. The carry flag says that there is nothing to answer yet. */
const service = [0xe6, BIOS_PORT, 0x72, 0x01, 0xcf, 0xfb, 0xf4, 0xeb, 0xf7];
const code = {
  /** Entries have 8 bytes: longer ones jump to here. */
  start: 0xf800,
  /** push ax; push ds; xor ax, ax; mov ds, ax; inc dword [ticks]; int 1ch; mov al, 20h; out 20h, al; pop ds; pop ax; iret */
  timer: [0x50, 0x1e, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, BDA.ticks & 0xff, BDA.ticks >> 8].concat([
    0xcd, 0x1c, 0xb0, 0x20, 0xe6, 0x20, 0x1f, 0x58, 0xcf,
  ]),
  /** push ax; in al, 60h; out BIOS_PORT, al; mov al, 20h; out 20h, al; pop ax; iret */
  keyboard: [0x50, 0xe4, 0x60, 0xe6, BIOS_PORT, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf],
  /** push ax; mov al, 20h; out a0h, al; out 20h, al; pop ax; iret */
  slave: [0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, 0xcf],
  master: [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf],
  /** mov dx, cf9h; mov al, 6; out dx, al; hlt */
  reset: [0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4],
};
const IRET = 0xcf;

/** Which interrupt's entry the instruction at F000:`offset` belongs to. */
export function interruptAt(offset: number): number | undefined {
  const keyboard = routineAt('keyboard');
  if (offset >= keyboard && offset < keyboard + code.keyboard.length) return KEYBOARD;
  const index = SERVICES.findIndex((_, at) => offset >= serviceAt(at) && offset < serviceAt(at) + service.length);
  return SERVICES[index];
}

const routines = ['timer', 'keyboard', 'slave', 'master', 'reset'] as const;
const ROUTINE_BYTES = 32;
const routineAt = (name: (typeof routines)[number]) => code.start + routines.indexOf(name) * ROUTINE_BYTES;
const serviceAt = (index: number) => code.start + (routines.length + index) * ROUTINE_BYTES;

function routineOf(vector: number): number | undefined {
  const index = SERVICES.indexOf(vector);
  if (index >= 0) return serviceAt(index);
  if (vector === TIMER) return routineAt('timer');
  if (vector === KEYBOARD) return routineAt('keyboard');
  if (vector === RESET) return routineAt('reset');
  if (vector >= 0x0a && vector < 0x10) return routineAt('master');
  return vector >= 0x70 && vector < 0x78 ? routineAt('slave') : undefined;
}

export interface BiosBytes {
  readonly gpa: number;
  readonly bytes: Uint8Array;
  readonly name: string;
}

/** What is to be in guest memory. `memory` has at most MOST_MEMORY_ENTRIES (layout.ts). */
export function biosImage(disk: BiosDisk, memory: readonly BiosMemory[]): BiosBytes[] {
  const drive = driveOf(disk.size);
  return [
    { gpa: 0, bytes: vectors(), name: 'interrupt vectors' },
    { gpa: BDA.com, bytes: dataArea(drive), name: 'BIOS data area' },
    { gpa: ROM.start, bytes: rom(disk, drive, memory), name: 'BIOS' },
    { gpa: TEXT.gpa, bytes: blankScreen(), name: 'text screen' },
  ];
}

function vectors(): Uint8Array {
  const table = new DataView(new ArrayBuffer(0x400));
  for (let vector = 0; vector < 256; vector++) {
    table.setUint16(4 * vector, ENTRIES + vector * ENTRY_BYTES, true);
    table.setUint16(4 * vector + 2, ROM_SEGMENT, true);
  }
  table.setUint16(4 * 0x1e, FLOPPY_TABLE, true);
  return new Uint8Array(table.buffer);
}

function dataArea(drive: number): Uint8Array {
  const area = new DataView(new ArrayBuffer(0x100));
  const at = (address: number) => address - BDA.com;
  for (const [index, port] of [0x3f8, 0x2f8, 0x3e8, 0x2e8].entries()) area.setUint16(2 * index, port, true);
  // Four serial ports, 80 x 25 in colour, a floating-point unit, and a diskette drive when the disk is one.
  area.setUint16(at(BDA.equipment), 0x0822 | (drive === 0 ? 1 : 0), true);
  area.setUint16(at(BDA.memoryKib), CONVENTIONAL_KIB, true);
  for (const field of [BDA.keyHead, BDA.keyTail, BDA.keyStart]) area.setUint16(at(field), KEYS.start, true);
  area.setUint16(at(BDA.keyEnd), KEYS.end, true);
  area.setUint8(at(BDA.videoMode), 3);
  area.setUint16(at(BDA.columns), TEXT.columns, true);
  area.setUint16(at(BDA.pageBytes), 0x1000, true);
  area.setUint16(at(BDA.cursorShape), 0x0607, true);
  area.setUint16(at(BDA.videoPort), 0x3d4, true);
  area.setUint8(at(BDA.disks), drive === 0 ? 0 : 1);
  area.setUint8(at(BDA.lastRow), TEXT.rows - 1);
  area.setUint8(at(BDA.characterHeight), 16);
  return new Uint8Array(area.buffer);
}

function rom(disk: BiosDisk, drive: number, memory: readonly BiosMemory[]): Uint8Array {
  const bytes = new Uint8Array(ROM.end - ROM.start);
  const view = new DataView(bytes.buffer);
  const at = (gpa: number) => gpa - ROM.start;
  const inRom = (offset: number) => at((ROM_SEGMENT << 4) + offset);
  writeDisk(new DataView(bytes.buffer, at(DISK_TABLE)), disk, drive);
  for (const [index, { start, end, usable }] of memory.entries()) {
    const entry = at(MEMORY_TABLE) + index * MEMORY_ENTRY_BYTES;
    view.setBigUint64(entry, start, true);
    view.setBigUint64(entry + 8, end - start, true);
    view.setUint32(entry + 16, usable ? 1 : 2, true);
  }
  bytes.set([0xaf, 0x02, 0x25, 0x02, 0x12, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08], inRom(FLOPPY_TABLE));
  for (let vector = 0; vector < 256; vector++) {
    const entry = ENTRIES + vector * ENTRY_BYTES;
    const routine = routineOf(vector);
    bytes.set(routine === undefined ? [IRET] : jump(entry, routine), inRom(entry));
  }
  for (const name of routines) bytes.set(code[name], inRom(routineAt(name)));
  for (const index of SERVICES.keys()) bytes.set(service, inRom(serviceAt(index)));
  // The reset vector, the date and the model of an AT.
  bytes.set(jump(0xfff0, routineAt('reset')), inRom(0xfff0));
  bytes.set([...Buffer.from('01/01/26'), 0, 0xfc], inRom(0xfff5));
  return bytes;
}

/** jmp near */
function jump(from: number, to: number): number[] {
  const distance = to - from - 3;
  return [0xe9, distance & 0xff, (distance >> 8) & 0xff];
}

function writeDisk(table: DataView, { start, size }: BiosDisk, drive: number): void {
  const sectors = size / SECTOR_BYTES;
  const { heads, sectorsPerTrack } = FLOPPIES.get(sectors) ?? HARD_DISK;
  const cylinders = Math.min(Math.ceil(sectors / (heads * sectorsPerTrack)), MOST_CYLINDERS);
  table.setUint32(DISK.start, start, true);
  table.setUint32(DISK.sectors, sectors, true);
  table.setUint16(DISK.cylinders, cylinders, true);
  table.setUint16(DISK.heads, heads, true);
  table.setUint16(DISK.sectorsPerTrack, sectorsPerTrack, true);
  table.setUint8(DISK.drive, drive);
}

function blankScreen(): Uint8Array {
  const bytes = new Uint8Array(2 * TEXT.columns * TEXT.rows);
  for (let at = 0; at < bytes.length; at += 2) bytes.set([0x20, TEXT.plain], at);
  return bytes;
}
