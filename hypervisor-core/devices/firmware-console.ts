/** Port 0x402, on which SeaBIOS and OVMF say what they do (QEMU's isa-debugcon): a read tells that the port is there. */
import { byteRegisters } from './byte-registers.ts';
import type { DeviceModel } from './device.ts';

const PORT = 0x402;
const PRESENT = 0xe9;

/** Sends to a console of its own. */
export const firmwareConsole = {
  name: 'firmware-console',
  ports: [{ first: PORT, last: PORT }],
  console: 4,
  stateBytes: 0,
  reset() {},
  describe: () => [],
  attach: (_, host) =>
    byteRegisters(PORT, PORT, {
      read: () => PRESENT,
      write: (_port, value) => host.transmit(value),
    }),
} as const satisfies DeviceModel;
