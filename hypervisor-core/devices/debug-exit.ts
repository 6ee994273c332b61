/** A port that ends the guest with a status, like QEMU's isa-debug-exit at its usual address. */
import type { DeviceModel } from './device.ts';

const PORT = 0xf4;

/** A write of `value` ends the run with exit status (value << 1) | 1; a process keeps the low 8 bits of that. */
export const debugExit: DeviceModel = {
  name: 'debug-exit',
  ports: [{ first: PORT, last: PORT + 3 }],
  stateBytes: 0,
  reset() {},
  describe: () => [],
  attach: (_, host) => ({
    in: () => 0,
    out(_port, _size, value) {
      const exitStatus = ((value << 1) | 1) & 0xff;
      host.end({
        cause: 'debug-exit',
        exitStatus,
        message: `The guest wrote 0x${value.toString(16)} to the debug-exit port: exit status ${exitStatus}.`,
      });
    },
  }),
};
