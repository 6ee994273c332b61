/** The Multiple APIC Description Table (ACPI 6.3, 5.2.12) for KVM's chips. */
import { ACPI_PM } from '../acpi-pm.ts';
import { acpiTable, fields } from './acpi-table.ts';

const REVISION = 3;
const LAPIC_ADDRESS = 0xfee0_0000;
const IOAPIC_ADDRESS = 0xfec0_0000;
const PCAT_COMPAT = 1;
const ENABLED = 1;
/** MPS INTI flags: active high, level. */
const HIGH_LEVEL = 0x0d;
const ALL_PROCESSORS = 0xff;

/** For `cpus` processors whose APIC ids count from 0. KVM wires ISA lines to the I/O APIC's pins one to one. */
export function madt(cpus: number): Uint8Array {
  const processors = Array.from({ length: cpus }, (_, id) =>
    entry(0, 8, [
      [2, 1, id],
      [3, 1, id],
      [4, 4, ENABLED],
    ]),
  );
  const ioapic = entry(1, 12, [[4, 4, IOAPIC_ADDRESS]]);
  const sci = entry(2, 10, [
    [3, 1, ACPI_PM.sci],
    [4, 4, ACPI_PM.sci],
    [8, 2, HIGH_LEVEL],
  ]);
  const nmi = entry(4, 6, [
    [2, 1, ALL_PROCESSORS],
    [5, 1, 1],
  ]);
  const head = fields(8, [
    [0, 4, LAPIC_ADDRESS],
    [4, 4, PCAT_COMPAT],
  ]);
  return acpiTable('APIC', REVISION, Buffer.concat([head, ...processors, ioapic, sci, nmi]));
}

function entry(type: number, length: number, list: Parameters<typeof fields>[1]): Uint8Array {
  return fields(length, [[0, 1, type], [1, 1, length], ...list]);
}
