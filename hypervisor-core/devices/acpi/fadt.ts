/** The Fixed ACPI Description Table (ACPI 6.3, 5.2.9), in the form of ACPI 2.0, and the FACS that it points to. */
import { ACPI_PM } from '../acpi-pm.ts';
import { acpiTable, type Field, fields, HEADER_BYTES } from './acpi-table.ts';

const REVISION = 3;
const LENGTH = 244;

/** IAPC_BOOT_ARCH: there are ISA devices and an 8042, and there is no VGA. */
const LEGACY_DEVICES = 1 << 0;
const HAS_8042 = 1 << 1;
const NO_VGA = 1 << 2;

/** Flags: WBINVD and HLT work, no fixed buttons, no RTC wake-up in fixed registers, RESET_REG is there. */
const FLAGS = (1 << 0) | (1 << 2) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 10);

const RESET_CONTROL = 0xcf9;
const RESET_VALUE = 0x06;
const CMOS_CENTURY = 0x32;
/** A latency beyond 100 and 1,000 µs says that there is no C2 and no C3. */
const NO_C_STATE = 0xfff;

/** Generic address structure of an I/O port; access size 1 is a byte, 2 a word, 3 a double word. */
const ioPort = (offset: number, port: number, bits: 8 | 16 | 32): Field[] => [
  [offset, 1, 1],
  [offset + 1, 1, bits],
  [offset + 3, 1, { 8: 1, 16: 2, 32: 3 }[bits]],
  [offset + 4, 8, port],
];

/** Fields of the FADT that hold addresses: offset and size. */
export const FADT_ADDRESSES = [
  [36, 4],
  [40, 4],
  [132, 8],
  [140, 8],
] as const;

/** `facs` and `dsdt` are guest-physical addresses below 4 GiB. */
export function fadt(facs: number, dsdt: number): Uint8Array {
  const table = fields(LENGTH, [
    [36, 4, facs],
    [40, 4, dsdt],
    [46, 2, ACPI_PM.sci],
    [56, 4, ACPI_PM.event],
    [64, 4, ACPI_PM.control],
    [76, 4, ACPI_PM.timer],
    [88, 1, 4],
    [89, 1, 2],
    [91, 1, 4],
    [96, 2, NO_C_STATE],
    [98, 2, NO_C_STATE],
    [108, 1, CMOS_CENTURY],
    [109, 2, LEGACY_DEVICES | HAS_8042 | NO_VGA],
    [112, 4, FLAGS],
    ...ioPort(116, RESET_CONTROL, 8),
    [128, 1, RESET_VALUE],
    [132, 8, facs],
    [140, 8, dsdt],
    ...ioPort(148, ACPI_PM.event, 32),
    ...ioPort(172, ACPI_PM.control, 16),
    ...ioPort(208, ACPI_PM.timer, 32),
  ]);
  return acpiTable('FACP', REVISION, table.subarray(HEADER_BYTES));
}

/** Firmware ACPI Control Structure; it has no checksum and lies on a 64-byte boundary. */
export function facs(): Uint8Array {
  const VERSION = 2;
  const bytes = fields(64, [
    [4, 4, 64],
    [32, 1, VERSION],
  ]);
  bytes.set(Buffer.from('FACS'));
  return bytes;
}
