/** Devices of 8-bit registers behind a wider bus: a 16- or 32-bit access goes to the ports that follow each other. */
import type { PortHandler } from './device.ts';

export interface ByteRegisters {
  read(port: number): number;
  write(port: number, value: number): void;
}

/** Splits accesses into bytes, lowest port first; ports outside [first, last] read as all ones and swallow writes. */
export function byteRegisters(first: number, last: number, registers: ByteRegisters): PortHandler {
  const mine = (port: number) => port >= first && port <= last;
  return {
    in(port, size) {
      let value = 0;
      for (let byte = 0; byte < size; byte++) {
        const part = mine(port + byte) ? registers.read(port + byte) & 0xff : 0xff;
        value |= part << (8 * byte);
      }
      return value >>> 0;
    },
    out(port, size, value) {
      for (let byte = 0; byte < size; byte++) {
        if (mine(port + byte)) registers.write(port + byte, (value >>> (8 * byte)) & 0xff);
      }
    },
  };
}
