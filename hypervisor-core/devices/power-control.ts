/** Power-off by the ACPI PM1a control register, at the addresses where QEMU and Bochs have it. */
import type { DeviceModel } from './device.ts';

/** QEMU's q35 and current pc; Bochs and old QEMU. */
const PORTS = [0x604, 0xb004];
/** ACPI 4.8.3.2.1: enter the sleep state in SLP_TYP. The one state that this machine has is off. */
const SLP_EN = 1 << 13;

export const powerControl: DeviceModel = {
  name: 'power-control',
  ports: PORTS.map((port) => ({ first: port, last: port + 1 })),
  stateBytes: 0,
  reset() {},
  describe: () => [],
  attach: (_, host) => ({
    in: () => 0,
    out(port, size, value) {
      // SLP_EN is in the second byte.
      const written = size === 1 ? value << ((port & 1) * 8) : value;
      if (written & SLP_EN) {
        host.end({ cause: 'power-off', exitStatus: 0, message: 'The guest switched the machine off.' });
      }
    },
  }),
};
