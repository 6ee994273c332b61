/**
 * The way into PCI configuration space, mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2): CONFIG_ADDRESS and CONFIG_DATA. All
 * functions are function 0 of a device on bus 0. Port 0xcf9 between the two is the reset control register's.
 */
import { hex } from '../protocol/hex.ts';
import { byteRegisters } from './byte-registers.ts';
import type { DeviceModel } from './device.ts';
import type { PciFunction } from './pci-function.ts';

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;

const ENABLE = 0x8000_0000;
/** Bits of CONFIG_ADDRESS that can be written: enable, bus, device, function, register. */
const ADDRESS_BITS = 0x80ff_fffc;

const CONFIGURATION_BYTES = 256;
/** Layout of the shared state: CONFIG_ADDRESS, then the configuration space of each function. */
const AT = { address: 0, functions: 16 };
const spaceOf = (device: number) => AT.functions + device * CONFIGURATION_BYTES;

/** `functions` by device number. */
export function pciHost(functions: readonly PciFunction[]): DeviceModel {
  return {
    name: 'pci-host',
    ports: [
      { first: CONFIG_ADDRESS, last: CONFIG_ADDRESS },
      { first: CONFIG_DATA, last: CONFIG_DATA + 3 },
    ],
    stateBytes: spaceOf(functions.length),
    reset(state) {
      for (const [device, { reset }] of functions.entries()) {
        for (const [offset, byte] of reset.entries()) state.setUint8(spaceOf(device) + offset, byte);
      }
    },
    attach(state) {
      const address = () => state.getUint32(AT.address, true);
      /** The function that CONFIG_ADDRESS names, and the offset in its space that belongs to a data port. */
      const target = (port: number) => {
        const selected = address();
        const device = (selected >>> 8) & 0xffff;
        // Device in bits 7 to 3, function in bits 2 to 0, bus above.
        const found = selected >= ENABLE && device % 8 === 0 ? functions[device / 8] : undefined;
        const offset = (selected & 0xfc) + port - CONFIG_DATA;
        return found && { writable: found.writable[offset] ?? 0, at: spaceOf(device / 8) + offset };
      };
      const data = byteRegisters(CONFIG_DATA, CONFIG_DATA + 3, {
        read(port) {
          const found = target(port);
          return found ? state.getUint8(found.at) : 0xff;
        },
        write(port, value) {
          const found = target(port);
          if (!found) return;
          state.setUint8(found.at, (state.getUint8(found.at) & ~found.writable) | (value & found.writable));
        },
      });
      return {
        in(port, size) {
          if (port !== CONFIG_ADDRESS) return data.in(port, size);
          return size === 4 ? address() : 0xffff_ffff;
        },
        out(port, size, value) {
          if (port !== CONFIG_ADDRESS) data.out(port, size, value);
          else if (size === 4) state.setUint32(AT.address, value & ADDRESS_BITS, true);
        },
      };
    },
    describe: (state) => [
      { name: 'CONFIG_ADDRESS', value: hex(state.getUint32(AT.address, true)) },
      ...functions.map(({ name }, device) => ({
        name: `00:${device.toString(16).padStart(2, '0')}.0`,
        value: hex(state.getUint32(spaceOf(device), true)),
        text: `${name}, command 0x${state.getUint16(spaceOf(device) + 4, true).toString(16)}`,
      })),
    ],
  };
}
