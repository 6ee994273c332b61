/**
 * The two chip-set registers that reset a PC: system control port A (0x92) and the reset control register (0xcf9).
 * A reset ends the run: the machine is made anew by whoever started it.
 */
import { byteRegisters } from './byte-registers.ts';
import type { DeviceHost, DeviceModel } from './device.ts';

const PORT_A = 0x92;
const A20_ENABLED = 1 << 1;
const FAST_RESET = 1 << 0;
const RESET_CONTROL = 0xcf9;
const RESET_CPU = 1 << 2;

/** Ends the run because the guest asked for a reset through `how`. */
export function endByReset(host: DeviceHost, how: string): void {
  host.end({ cause: 'reset', exitStatus: 1, message: `The guest reset the machine (${how}).` });
}

export const resetControl: DeviceModel = {
  name: 'reset-control',
  ports: [
    { first: PORT_A, last: PORT_A },
    { first: RESET_CONTROL, last: RESET_CONTROL },
  ],
  stateBytes: 0,
  reset() {},
  describe: () => [],
  attach(_, host) {
    const portA = byteRegisters(PORT_A, PORT_A, {
      // A20 is not gated: the line is always enabled.
      read: () => A20_ENABLED,
      write(_port, value) {
        if (value & FAST_RESET) endByReset(host, 'port 0x92');
      },
    });
    const control = byteRegisters(RESET_CONTROL, RESET_CONTROL, {
      read: () => 0,
      write(_port, value) {
        if (value & RESET_CPU) endByReset(host, 'port 0xcf9');
      },
    });
    const at = (port: number) => (port === PORT_A ? portA : control);
    return {
      in: (port, size) => at(port).in(port, size),
      out: (port, size, value) => at(port).out(port, size, value),
    };
  },
};
