/**
 * Flat binaries, loaded and entered at one address. In 32- and 64-bit mode they find what an ELF kernel entered directly
 * finds (elf-direct.ts); in 16-bit mode: real mode, interrupts off, CS = 0 when the address has 16 bits and else the
 * address's paragraph, DS = ES = 0, SS:SP = a stack of 4 KiB. A boot sector has what a BIOS gives: 0000:7C00, DL = 0x80 (the
 * first hard disk), SS:SP = 0000:7C00; whoever owns the machine adds the BIOS itself. Flat binaries have no BIOS.
 */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { realMode } from './cpu-state.ts';
import { enterDirectly, identityEndFor } from './direct-entry.ts';
import { LoaderTables } from './loader-tables.ts';
import { Placement } from './placement.ts';

const SECTOR = 512;
const SECTOR_ADDRESS = 0x7c00n;
const FIRST_HARD_DISK = 0x80;
const ONE_MIB = 0x10_0000n;
const FOUR_GIB = 0x1_0000_0000n;
const STACK_SIZE = 0x1000;
const SIXTY_FOUR_KIB = 0x1_0000n;

/** True for a file that ends its first 512 bytes with 55 AA and has whole sectors. */
export function isBootSector(file: Uint8Array): boolean {
  return file.length >= SECTOR && file.length % SECTOR === 0 && file[SECTOR - 2] === 0x55 && file[SECTOR - 1] === 0xaa;
}

/** Places the first 512 bytes. Throws `BootError` when there are fewer, or no RAM is at 0x7c00. */
export function bootSector(request: BootRequest): BootImage {
  if (request.file.length < SECTOR) {
    throw new BootError(
      `${request.name} has ${request.file.length} bytes; a boot sector has ${SECTOR}.`,
      'Pad it, and end it with the bytes 55 AA.',
    );
  }
  const bytes = request.file.subarray(0, SECTOR);
  const name = 'boot sector';
  const placement = new Placement(request.ram, request.name);
  placement.claim({ start: SECTOR_ADDRESS, end: SECTOR_ADDRESS + BigInt(SECTOR), name });
  return {
    protocol: 'sector',
    segments: [{ gpa: SECTOR_ADDRESS, bytes, name }],
    zeroed: [],
    cpu: realMode({ cs: 0, ip: Number(SECTOR_ADDRESS), ss: 0, sp: Number(SECTOR_ADDRESS), dl: FIRST_HARD_DISK }),
    description: 'boot sector, entered in real mode at 0000:7c00',
  };
}

/** Places the whole file at the request's address. Throws `BootError` when that is not in RAM or out of the mode's reach. */
export function bootFlat(request: BootRequest, protocol: 'flat16' | 'flat32' | 'flat64'): BootImage {
  const address = request.address ?? (protocol === 'flat16' ? SECTOR_ADDRESS : ONE_MIB);
  const reach = protocol === 'flat16' ? ONE_MIB : FOUR_GIB;
  const at = `0x${address.toString(16)}`;
  if (address >= reach) {
    throw new BootError(
      `${request.name} cannot be entered at ${at}: ${protocol} reaches up to 0x${(reach - 1n).toString(16)}.`,
      'Choose a lower address.',
    );
  }
  const name = 'flat binary';
  const placement = new Placement(request.ram, request.name);
  placement.claim({ start: address, end: address + BigInt(request.file.length), name });
  const placed = { segments: [{ gpa: address, gva: address, bytes: request.file, name }], zeroed: [] };
  if (protocol === 'flat16') {
    const stack = Number(placement.allocateLow(BigInt(STACK_SIZE), 'the stack'));
    const [cs, ip] = address < SIXTY_FOUR_KIB ? [0, Number(address)] : [Number(address >> 4n), Number(address & 15n)];
    return {
      protocol,
      ...placed,
      cpu: realMode({ cs, ip, ss: stack >> 4, sp: STACK_SIZE }),
      description: `flat binary, entered in real mode at ${at}`,
    };
  }
  if (protocol === 'flat32') {
    return {
      protocol,
      ...enterDirectly(request, placement, placed, address, { mode: 'protected32' }),
      description: `flat binary, entered in 32-bit protected mode at ${at}`,
    };
  }
  const tables = new LoaderTables();
  tables.identity(identityEndFor(request));
  return {
    protocol,
    ...enterDirectly(request, placement, placed, address, { mode: 'long', tables }),
    description: `flat binary, entered in long mode at ${at}`,
  };
}
