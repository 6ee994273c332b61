/** Devices of 8-bit registers behind a wider bus: a 16- or 32-bit access goes to the ports that follow each other. */
import { hex } from '../protocol/hex.ts';
import type { DeviceRegister } from '../protocol/inspect.ts';
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

/** 8-bit registers, by name, at these offsets of a device's state. */
export function describeBytes(state: DataView, offsets: Readonly<Record<string, number>>): DeviceRegister[] {
  return Object.entries(offsets).map(([name, at]) => ({ name, value: hex(state.getUint8(at)) }));
}
