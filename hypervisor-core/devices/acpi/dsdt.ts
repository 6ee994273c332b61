/** The DSDT: the one object that a guest needs to switch the machine off. AML, ACPI 6.3 chapter 20. */
import { acpiTable } from './acpi-table.ts';

const REVISION = 2;
const NAME_OP = 0x08;
const PACKAGE_OP = 0x12;
const BYTE_PREFIX = 0x0a;
const ZERO_OP = 0x00;
/** SLP_TYPa and SLP_TYPb of the soft-off state; PM1_CNT takes any. */
const SLP_TYP = 5;

/** Name (_S5, Package (4) { 5, 5, 0, 0 }). */
export function dsdt(): Uint8Array {
  const elements = [4, BYTE_PREFIX, SLP_TYP, BYTE_PREFIX, SLP_TYP, ZERO_OP, ZERO_OP];
  // The package length counts itself.
  return acpiTable(
    'DSDT',
    REVISION,
    Buffer.from([NAME_OP, ...Buffer.from('_S5_'), PACKAGE_OP, elements.length + 1, ...elements]),
  );
}
