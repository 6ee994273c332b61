/** The DSDT: how the machine is switched off, and what lies behind the PCI host bridge. */
import { FRAMEBUFFER_ADDRESS, FRAMEBUFFER_ROOM } from '../../protocol/framebuffer.ts';
import { PCI_LAYOUT } from '../pci/pci-layout.ts';
import { acpiTable } from './acpi-table.ts';
import {
  device,
  eisaId,
  integer,
  interruptLine,
  ioPorts,
  name,
  packageOf,
  producedRange,
  resources,
  scope,
} from './aml.ts';

const REVISION = 2;
/** SLP_TYPa and SLP_TYPb of the soft-off state; PM1_CNT takes any. */
const SLP_TYP = 5;

const CONFIG_PORTS = { first: 0xcf8, count: 8 };
/** From the end of the lowest RAM, and of the framebuffer's place behind it, to the I/O APIC. */
const PCI_MEMORY = { first: FRAMEBUFFER_ADDRESS + FRAMEBUFFER_ROOM, last: 0xfebf_ffff };

/** The 8042, without which SeaBIOS has no keys. */
const KEYBOARD = { data: 0x60, command: 0x64, irq: 1 };

/** INTA of any function of the device goes straight to a line of the I/O APIC. */
const interruptRoute = ({ device: number, irq }: { readonly device: number; readonly irq: number }) =>
  packageOf(integer(number * 0x1_0000 + 0xffff), integer(0), integer(0), integer(irq));

export function dsdt(): Uint8Array {
  const softOff = name('_S5', packageOf(integer(SLP_TYP), integer(SLP_TYP), integer(0), integer(0)));
  const { first, count } = CONFIG_PORTS;
  const bridge = device(
    'PCI0',
    name('_HID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name('_PRT', packageOf(...Object.values(PCI_LAYOUT).map(interruptRoute))),
    name(
      '_CRS',
      resources(
        producedRange('bus', 0, 0),
        ioPorts(first, count),
        producedRange('io', 0, first - 1),
        producedRange('io', first + count, 0xffff),
        producedRange('memory', PCI_MEMORY.first, PCI_MEMORY.last),
      ),
    ),
  );
  const keyboard = device(
    'KBD',
    name('_HID', eisaId('PNP0303')),
    name('_CRS', resources(ioPorts(KEYBOARD.data, 1), ioPorts(KEYBOARD.command, 1), interruptLine(KEYBOARD.irq))),
  );
  return acpiTable('DSDT', REVISION, Buffer.from([...softOff, ...scope('_SB', bridge, keyboard)]));
}
