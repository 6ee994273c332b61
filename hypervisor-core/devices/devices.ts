/** The devices of the machine, beside KVM's own PIC, I/O APIC, local APICs and PIT. */
import { acpiPm } from './acpi-pm.ts';
import { debugConsole } from './debug-console.ts';
import { debugExit } from './debug-exit.ts';
import type { DeviceModel } from './device.ts';
import { type FwCfgConfiguration, fwCfg } from './fw-cfg.ts';
import { hostBridge } from './host-bridge.ts';
import { i8042 } from './i8042.ts';
import { pciHost } from './pci-host.ts';
import { PCI_LAYOUT } from './pci-layout.ts';
import { resetControl } from './reset-control.ts';
import { type RtcConfiguration, rtcCmos } from './rtc-cmos.ts';
import { COM_PORTS, serial16550 } from './serial16550.ts';
import { virtioRng } from './virtio-rng.ts';

/** Every worker must make the same list: the order is the layout of the shared state. */
export function deviceModels(configuration: RtcConfiguration & FwCfgConfiguration): readonly DeviceModel[] {
  return [
    ...COM_PORTS.map(serial16550),
    rtcCmos(configuration),
    i8042,
    resetControl,
    acpiPm,
    fwCfg(configuration),
    pciHost([hostBridge, virtioRng(PCI_LAYOUT.rng)]),
    debugExit,
    debugConsole,
  ];
}
