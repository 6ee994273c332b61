/**
 * INT 13h: the disk, by cylinder, head and sector or, by the extensions (EDD 3.0), by number. It is an image in memory
 * (rom.ts), so that what is written is forgotten at the end of the guest, and goes back with a snapshot.
 */
import { AH, AL, AX, type BiosCall, BX, CH, CL, CX, DH, DI, DL, DX, FLAG, SI } from './call.ts';
import { BDA, DISK, DISK_TABLE, FLOPPY_TABLE, ROM_SEGMENT, SECTOR_BYTES } from './layout.ts';

const STATUS = { ok: 0x00, invalid: 0x01, notFound: 0x04 };
/** Drive types of INT 13h 08h by sectors per track. */
const FLOPPY_TYPES = new Map([
  [9, 3],
  [15, 2],
  [18, 4],
  [36, 5],
]);

interface Drive {
  readonly start: number;
  readonly sectors: number;
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
  readonly isFloppy: boolean;
}

export function disk(call: BiosCall): void {
  const status = call.byte(AH) === 0x01 ? call.load(BDA.diskStatus, 1) : serve(call);
  if (status === undefined) {
    call.setFlag(FLAG.carry, false);
    return;
  }
  call.setByte(AH, status);
  call.setFlag(FLAG.carry, status !== STATUS.ok);
  call.store(BDA.diskStatus, 1, status);
}

function driveOf(call: BiosCall): Drive | undefined {
  const drive = call.load(DISK_TABLE + DISK.drive, 1);
  if (call.byte(DL) !== drive) return undefined;
  const field = (at: number, bytes: 2 | 4) => call.load(DISK_TABLE + at, bytes);
  return {
    start: field(DISK.start, 4),
    sectors: field(DISK.sectors, 4),
    cylinders: field(DISK.cylinders, 2),
    heads: field(DISK.heads, 2),
    sectorsPerTrack: field(DISK.sectorsPerTrack, 2),
    isFloppy: drive < 0x80,
  };
}

/** The status for AH; undefined where AH is an answer. */
function serve(call: BiosCall): number | undefined {
  const drive = driveOf(call);
  const command = call.byte(AH);
  if (command === 0x15 && !drive) {
    call.setByte(AH, 0);
    return undefined;
  }
  if (!drive) return STATUS.invalid;
  switch (command) {
    case 0x00:
    case 0x0d:
    case 0x10:
    case 0x11:
      return STATUS.ok;
    case 0x02:
    case 0x03:
    case 0x04:
      return classic(call, drive, command);
    case 0x08:
      return parameters(call, drive);
    case 0x15:
      return typeOf(call, drive);
    case 0x16:
      return drive.isFloppy ? STATUS.ok : STATUS.invalid;
    default:
      return drive.isFloppy ? STATUS.invalid : extended(call, drive, command);
  }
}

/** AL sectors from CH, CL, DH on, to or from ES:BX. */
function classic(call: BiosCall, drive: Drive, command: number): number {
  const cylinder = call.byte(CH) | ((call.byte(CL) & 0xc0) << 2);
  const sector = call.byte(CL) & 0x3f;
  const head = call.byte(DH);
  const count = call.byte(AL);
  const fits = sector >= 1 && sector <= drive.sectorsPerTrack && head < drive.heads && cylinder < drive.cylinders;
  if (count === 0) return STATUS.invalid;
  if (!fits) return STATUS.notFound;
  const first = (cylinder * drive.heads + head) * drive.sectorsPerTrack + sector - 1;
  const status = move(call, drive, command, { first, count, gpa: call.es + call.word(BX) });
  if (status !== STATUS.ok) call.setByte(AL, 0);
  return status;
}

const [READ, WRITE] = [0x02, 0x03];

function move(
  { host: { memory } }: BiosCall,
  drive: Drive,
  command: number,
  { first, count, gpa }: { readonly first: number; readonly count: number; readonly gpa: number },
): number {
  if (first + count > drive.sectors) return STATUS.notFound;
  const at = drive.start + first * SECTOR_BYTES;
  if (command === READ) memory.write(gpa, memory.read(at, count * SECTOR_BYTES));
  if (command === WRITE) memory.write(at, memory.read(gpa, count * SECTOR_BYTES));
  return STATUS.ok;
}

function parameters(call: BiosCall, { cylinders, heads, sectorsPerTrack, isFloppy }: Drive): number {
  const last = cylinders - 1;
  call.setWord(CX, ((last & 0xff) << 8) | ((last >> 2) & 0xc0) | sectorsPerTrack);
  call.setWord(DX, ((heads - 1) << 8) | 1);
  call.setByte(AL, 0);
  if (isFloppy) {
    call.setWord(BX, FLOPPY_TYPES.get(sectorsPerTrack) ?? 4);
    call.setWord(DI, FLOPPY_TABLE);
    call.newEs = ROM_SEGMENT;
  }
  return STATUS.ok;
}

function typeOf(call: BiosCall, { isFloppy, sectors }: Drive): undefined {
  const [NO_CHANGE_LINE, HARD_DISK] = [1, 3];
  call.setByte(AH, isFloppy ? NO_CHANGE_LINE : HARD_DISK);
  if (isFloppy) return;
  call.setWord(CX, sectors >>> 16);
  call.setWord(DX, sectors & 0xffff);
}

function extended(call: BiosCall, drive: Drive, command: number): number | undefined {
  switch (command) {
    case 0x41: {
      if (call.word(BX) !== 0x55aa) return STATUS.invalid;
      const [VERSION_3, PACKETS] = [0x30, 1];
      call.setWord(BX, 0xaa55);
      call.setWord(AX, VERSION_3 << 8);
      call.setWord(CX, PACKETS);
      return undefined;
    }
    case 0x42:
    case 0x43:
    case 0x44:
      return packet(call, drive, command - 0x40);
    case 0x47:
      return STATUS.ok;
    case 0x48:
      return extendedParameters(call, drive);
    default:
      return STATUS.invalid;
  }
}

/** The disk address packet at DS:SI: size, 0, count, offset, segment, number of the first sector. */
function packet(call: BiosCall, drive: Drive, command: number): number {
  const at = call.ds + call.word(SI);
  const [size, count] = [call.load(at, 1), call.load(at + 2, 2)];
  const gpa = call.load(at + 6, 2) * 16 + call.load(at + 4, 2);
  const first = call.load(at + 8, 4) + call.load(at + 12, 4) * 2 ** 32;
  const status = size < 16 ? STATUS.invalid : move(call, drive, command, { first, count, gpa });
  if (status !== STATUS.ok && size >= 16) call.store(at + 2, 2, 0);
  return status;
}

/** The first part of the result buffer at DS:SI. */
function extendedParameters(call: BiosCall, drive: Drive): number {
  const at = call.ds + call.word(SI);
  const BYTES = 26;
  if (call.load(at, 2) < BYTES) return STATUS.invalid;
  const GEOMETRY_VALID = 1 << 1;
  call.store(at, 2, BYTES);
  call.store(at + 2, 2, GEOMETRY_VALID);
  call.store(at + 4, 4, drive.cylinders);
  call.store(at + 8, 4, drive.heads);
  call.store(at + 12, 4, drive.sectorsPerTrack);
  call.store(at + 16, 4, drive.sectors);
  call.store(at + 20, 4, 0);
  call.store(at + 24, 2, SECTOR_BYTES);
  return STATUS.ok;
}
