/** Port 0xe9 as Bochs and QEMU have it: a byte written is a byte printed, a read tells that the port is there. */
import { byteRegisters } from './byte-registers.ts';
import type { DeviceModel } from './device.ts';

const PORT = 0xe9;

export const debugConsole: DeviceModel = {
  name: 'debug-console',
  ports: [{ first: PORT, last: PORT }],
  stateBytes: 0,
  reset() {},
  describe: () => [],
  attach: (_, host) =>
    byteRegisters(PORT, PORT, {
      read: () => PORT,
      write: (_port, value) => host.transmit(value),
    }),
};
