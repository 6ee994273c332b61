/** One call of a BIOS service: the caller's registers, memory, and what the machine is needed for. */
import type { GuestMemory } from '../device.ts';

/** Places of registers in {@link BiosCall.registers}: 32-bit ones, and with their names the 16- and 8-bit parts. */
export const EAX = 0;
export const EBX = 4;
export const ECX = 8;
export const EDX = 12;
export const EDI = 20;
const HIGH = 1;
export const [AX, BX, CX, DX, SI, DI, BP] = [EAX, EBX, ECX, EDX, 16, EDI, 24];
export const [AL, BL, CL, DL] = [AX, BX, CX, DX];
export const [AH, BH, CH, DH] = [AX + HIGH, BX + HIGH, CX + HIGH, DX + HIGH];
export const REGISTER_BYTES = 28;

export const FLAG = { carry: 1 << 0, zero: 1 << 6 };

export interface BiosHost {
  readonly memory: GuestMemory;
  /** One byte for the console. */
  transmit(byte: number): void;
  /** Microseconds of guest time. */
  now(): number;
  /** Milliseconds since 1970. */
  clock(): number;
}

export class BiosCall {
  /** EAX to EBP, little-endian. */
  readonly registers: DataView;
  readonly host: BiosHost;
  /** Linear addresses that ES and DS begin at; ES changes where a service says so. */
  readonly ds: number;
  readonly es: number;
  /** The selector that ES is to have. */
  newEs: number | undefined;
  /** The flags that the caller gets back. */
  flags: number;
  /** Nothing to answer yet: to be called again after the next interrupt. */
  waits = false;

  constructor(
    registers: DataView,
    { ds, es, flags }: { readonly ds: number; readonly es: number; readonly flags: number },
    host: BiosHost,
  ) {
    this.registers = registers;
    this.ds = ds;
    this.es = es;
    this.flags = flags;
    this.host = host;
  }

  byte(register: number): number {
    return this.registers.getUint8(register);
  }

  word(register: number): number {
    return this.registers.getUint16(register, true);
  }

  double(register: number): number {
    return this.registers.getUint32(register, true);
  }

  setByte(register: number, value: number): void {
    this.registers.setUint8(register, value);
  }

  setWord(register: number, value: number): void {
    this.registers.setUint16(register, value, true);
  }

  setDouble(register: number, value: number): void {
    this.registers.setUint32(register, value, true);
  }

  setFlag(flag: number, on: boolean): void {
    this.flags = on ? this.flags | flag : this.flags & ~flag;
  }

  /** A number of `bytes` bytes, 1, 2 or 4, in guest memory; 0 where no RAM is. */
  load(gpa: number, bytes: 1 | 2 | 4): number {
    return this.host.memory.read(gpa, bytes).reduceRight((sum, byte) => sum * 256 + byte, 0);
  }

  store(gpa: number, bytes: 1 | 2 | 4, value: number): void {
    this.host.memory.write(
      gpa,
      Uint8Array.from({ length: bytes }, (_, at) => (value >>> (8 * at)) & 0xff),
    );
  }
}
