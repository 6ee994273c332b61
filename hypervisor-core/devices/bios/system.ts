/** INT 11h, 12h, 15h and 1Ah: equipment, memory, waiting, the A20 gate, time. */
import { toBcd } from '../bcd.ts';
import { AH, AL, AX, type BiosCall, BX, CX, DH, DL, DX, EAX, EBX, ECX, EDI, EDX, FLAG } from './call.ts';
import { BDA, MEMORY_ENTRY_BYTES, MEMORY_TABLE, MOST_MEMORY_ENTRIES } from './layout.ts';

const SMAP = 0x534d_4150;
const UNSUPPORTED = 0x86;
const ONE_MIB = 2 ** 20;
const FOUR_GIB = 2 ** 32;

export function equipment(call: BiosCall): void {
  call.setWord(AX, call.load(BDA.equipment, 2));
}

export function memorySize(call: BiosCall): void {
  call.setWord(AX, call.load(BDA.memoryKib, 2));
}

/** INT 15h */
export function system(call: BiosCall): void {
  call.setFlag(FLAG.carry, false);
  const command = call.word(AX);
  if (command === 0xe820) memoryMap(call);
  else if (command === 0xe801) memoryAbove(call);
  else if (command >> 8 === 0x88) call.setWord(AX, Math.min(Math.floor(extendedMemory(call) / 1024), 0xfc00));
  else if (command >> 8 === 0x86) wait(call);
  else if (command === 0x2401) call.setByte(AH, 0);
  else if (command === 0x2402) call.setWord(AX, 1);
  else if (command === 0x2403) {
    const [KEYBOARD, PORT_92] = [1, 2];
    call.setByte(AH, 0);
    call.setWord(BX, KEYBOARD | PORT_92);
  } else {
    call.setByte(AH, UNSUPPORTED);
    call.setFlag(FLAG.carry, true);
  }
}

/** An entry of the memory map: 20 bytes at ES:DI. EBX counts them, 0 again at the last. */
function memoryMap(call: BiosCall): void {
  const index = call.double(EBX);
  const entry = (at: number) => call.host.memory.read(MEMORY_TABLE + at * MEMORY_ENTRY_BYTES, MEMORY_ENTRY_BYTES);
  const present = (at: number) => at < MOST_MEMORY_ENTRIES && entry(at).some((byte) => byte !== 0);
  const asked = call.double(EDX) === SMAP && call.double(ECX) >= MEMORY_ENTRY_BYTES;
  if (!asked || !present(index)) {
    call.setByte(AH, UNSUPPORTED);
    call.setFlag(FLAG.carry, true);
    return;
  }
  call.host.memory.write(call.es + (call.double(EDI) & 0xffff), entry(index));
  call.setDouble(EAX, SMAP);
  call.setDouble(ECX, MEMORY_ENTRY_BYTES);
  call.setDouble(EBX, present(index + 1) ? index + 1 : 0);
}

/** Bytes of usable memory in one piece from 1 MiB on, below 4 GiB. */
function extendedMemory(call: BiosCall): number {
  const end = MEMORY_TABLE + MOST_MEMORY_ENTRIES * MEMORY_ENTRY_BYTES;
  for (let at = MEMORY_TABLE; at < end; at += MEMORY_ENTRY_BYTES) {
    const [start, length] = [call.load(at, 4), call.load(at + 8, 4)];
    const low = call.load(at + 4, 4) === 0 && call.load(at + 12, 4) === 0;
    if (low && start === ONE_MIB && call.load(at + 16, 4) === 1) return Math.min(length, FOUR_GIB - start);
  }
  return 0;
}

/** KiB from 1 to 16 MiB in AX and CX, units of 64 KiB above that in BX and DX. */
function memoryAbove(call: BiosCall): void {
  const bytes = extendedMemory(call);
  const FIFTEEN_MIB = 15 * ONE_MIB;
  const below = Math.floor(Math.min(bytes, FIFTEEN_MIB) / 1024);
  const above = Math.floor(Math.max(0, bytes - FIFTEEN_MIB) / 65536);
  for (const register of [AX, CX]) call.setWord(register, below);
  for (const register of [BX, DX]) call.setWord(register, above);
}

/** CX:DX microseconds, to the next tick of the timer. */
function wait(call: BiosCall): void {
  const now = Math.floor(call.host.now()) >>> 0;
  if (call.load(BDA.waiting, 1) === 0) {
    call.store(BDA.waiting, 1, 1);
    call.store(BDA.waitUntil, 4, now + call.word(CX) * 0x1_0000 + call.word(DX));
  }
  call.waits = ((call.load(BDA.waitUntil, 4) - now) | 0) > 0;
  if (!call.waits) call.store(BDA.waiting, 1, 0);
}

/** INT 1Ah */
export function time(call: BiosCall): void {
  const date = new Date(call.host.clock());
  call.setFlag(FLAG.carry, false);
  switch (call.byte(AH)) {
    case 0x00:
      call.setByte(AL, call.load(BDA.midnight, 1));
      call.setWord(CX, call.load(BDA.ticks + 2, 2));
      call.setWord(DX, call.load(BDA.ticks, 2));
      call.store(BDA.midnight, 1, 0);
      break;
    case 0x01:
      call.store(BDA.ticks, 4, call.word(CX) * 0x1_0000 + call.word(DX));
      call.setByte(AH, 0);
      break;
    case 0x02:
      call.setWord(CX, (toBcd(date.getUTCHours()) << 8) | toBcd(date.getUTCMinutes()));
      call.setByte(DH, toBcd(date.getUTCSeconds()));
      call.setByte(DL, 0);
      break;
    case 0x04:
      call.setWord(CX, (toBcd(Math.floor(date.getUTCFullYear() / 100)) << 8) | toBcd(date.getUTCFullYear() % 100));
      call.setWord(DX, (toBcd(date.getUTCMonth() + 1) << 8) | toBcd(date.getUTCDate()));
      break;
    default:
      call.setFlag(FLAG.carry, true);
  }
}
