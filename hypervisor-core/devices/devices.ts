/** The devices of the machine, beside KVM's own PIC, I/O APIC, local APICs and PIT. */
import { acpiFiles } from './acpi/table-loader.ts';
import { acpiPm } from './acpi-pm.ts';
import { debugConsole } from './debug-console.ts';
import { debugExit } from './debug-exit.ts';
import type { DeviceModel } from './device.ts';
import { firmwareConsole } from './firmware-console.ts';
import { type FwCfgConfiguration, fwCfg } from './fw-cfg.ts';
import { i8042 } from './i8042.ts';
import { hostBridge } from './pci/host-bridge.ts';
import { pciHost } from './pci/pci-host.ts';
import { PCI_LAYOUT } from './pci/pci-layout.ts';
import { resetControl } from './reset-control.ts';
import { type RtcConfiguration, rtcCmos } from './rtc-cmos.ts';
import { COM_PORTS, serial16550 } from './serial16550.ts';
import { virtioBlk } from './virtio/virtio-blk.ts';
import { virtioConsole } from './virtio/virtio-console.ts';
import { virtioPci } from './virtio/virtio-pci.ts';
import { virtioRng } from './virtio/virtio-rng.ts';

interface DiskConfiguration {
  /** Sectors of the disk; absent: there is none. */
  readonly diskSectors?: number | undefined;
}

/** Every worker must make the same list: the order is the layout of the shared state. */
export function deviceModels(
  configuration: RtcConfiguration & FwCfgConfiguration & DiskConfiguration,
): readonly DeviceModel[] {
  const { diskSectors } = configuration;
  return [
    ...COM_PORTS.map(serial16550),
    rtcCmos(configuration),
    i8042,
    resetControl,
    acpiPm,
    fwCfg({ ...configuration, files: acpiFiles(configuration.cpus) }),
    pciHost([
      hostBridge,
      virtioPci(virtioRng, PCI_LAYOUT.rng),
      virtioPci(virtioConsole, PCI_LAYOUT.console),
      ...(diskSectors === undefined ? [] : [virtioPci(virtioBlk(diskSectors), PCI_LAYOUT.disk)]),
    ]),
    debugExit,
    debugConsole,
    firmwareConsole,
  ];
}
