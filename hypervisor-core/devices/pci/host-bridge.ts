/** The host bridge of an Intel 440FX (82441FX datasheet), as far as a guest's bus scan looks at it. */
import { pciFunction } from './pci-function.ts';

export const hostBridge = pciFunction('440FX host bridge', {
  vendor: 0x8086,
  device: 0x1237,
  classCode: 0x06_00_00,
  revision: 0x02,
  // By these SeaBIOS looks for fw_cfg.
  subsystem: { vendor: 0x1af4, id: 0x1100 },
});
