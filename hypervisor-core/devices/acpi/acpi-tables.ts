/** All ACPI tables of a machine as one block in the area that guests search for the RSDP (ACPI 6.3, 5.2.5). */
import { acpiTable, seal } from './acpi-table.ts';
import { dsdt } from './dsdt.ts';
import { facs, fadt } from './fadt.ts';
import { madt } from './madt.ts';

/** Guest-physical address of the block, and of the RSDP, which comes first. */
export const ACPI_TABLES = 0xe0000;

const RSDP_BYTES = 36;
/** What the FACS needs; the others are content with it. */
const ALIGNMENT = 64;

/** The block for a machine of `cpus` processors, to be placed at {@link ACPI_TABLES}. */
export function acpiTables(cpus: number): Uint8Array {
  const parts: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let next = ACPI_TABLES + ALIGNMENT;
  const place = (bytes: Uint8Array) => {
    const at = next;
    parts.push({ at, bytes });
    next += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const listed = [place(fadt(place(facs()), place(dsdt()))), place(madt(cpus))];
  const rsdt = place(acpiTable('RSDT', 1, addresses(listed, 4)));
  const xsdt = place(acpiTable('XSDT', 1, addresses(listed, 8)));
  parts.push({ at: ACPI_TABLES, bytes: rsdp(rsdt, xsdt) });
  const block = new Uint8Array(next - ACPI_TABLES);
  for (const { at, bytes } of parts) block.set(bytes, at - ACPI_TABLES);
  return block;
}

function addresses(tables: readonly number[], size: 4 | 8): Uint8Array {
  const bytes = Buffer.alloc(tables.length * size);
  for (const [index, address] of tables.entries()) bytes.writeUInt32LE(address, index * size);
  return bytes;
}

function rsdp(rsdt: number, xsdt: number): Uint8Array {
  const REVISION = 2;
  const FIRST_PART = 20;
  const bytes = Buffer.alloc(RSDP_BYTES);
  bytes.write('RSD PTR ', 0, 'latin1');
  bytes.write('RINGSD', 9, 'latin1');
  bytes[15] = REVISION;
  bytes.writeUInt32LE(rsdt, 16);
  bytes.writeUInt32LE(RSDP_BYTES, 20);
  bytes.writeBigUInt64LE(BigInt(xsdt), 24);
  seal(bytes, 8, FIRST_PART);
  seal(bytes, 32);
  return bytes;
}
