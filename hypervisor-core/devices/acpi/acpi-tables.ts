/** All ACPI tables of a machine as one block in the area that guests search for the RSDP (ACPI 6.3, 5.2.5). */
import { acpiTable, HEADER_BYTES, seal } from './acpi-table.ts';
import { dsdt } from './dsdt.ts';
import { FADT_ADDRESSES, facs, fadt } from './fadt.ts';
import { madt } from './madt.ts';

/** Guest-physical address of the block, and of the RSDP, which comes first. */
export const ACPI_TABLES = 0xe0000;

const RSDP_BYTES = 36;
/** Its checksums: where each is, and of how many bytes. The first is of what ACPI 1.0 knows. */
export const RSDP_SUMS = [
  { at: 8, length: 20 },
  { at: 32, length: RSDP_BYTES },
] as const;
/** Offsets and sizes of the addresses of RSDT and XSDT in it. */
export const RSDP_ADDRESSES = [
  [16, 4],
  [24, 8],
] as const;
/** What the FACS needs; the others are content with it. */
export const ALIGNMENT = 64;

/** Where a table lies, and where addresses are in it: offsets and sizes. Without a checksum it is the FACS. */
interface PlacedTable {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly addresses: readonly (readonly [offset: number, size: 4 | 8])[];
  readonly checksum: boolean;
}

/** The tables of a machine of `cpus` processors from `start` on, which is aligned, without the RSDP. */
export function placeTables(start: number, cpus: number) {
  const tables: PlacedTable[] = [];
  let end = start;
  const place = (bytes: Uint8Array, addresses: PlacedTable['addresses'] = [], checksum = true) => {
    const at = end;
    tables.push({ at, bytes, addresses, checksum });
    end += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const listed = [place(fadt(place(facs(), [], false), place(dsdt())), FADT_ADDRESSES), place(madt(cpus))];
  const list = (signature: string, size: 4 | 8) =>
    place(
      acpiTable(signature, 1, addresses(listed, size)),
      listed.map((_, index) => [HEADER_BYTES + index * size, size] as const),
    );
  return { tables, rsdt: list('RSDT', 4), xsdt: list('XSDT', 8), end };
}

/** All tables as one block. */
export function blockOf({ tables, end }: Pick<ReturnType<typeof placeTables>, 'tables' | 'end'>, start: number) {
  const block = new Uint8Array(end - start);
  for (const { at, bytes } of tables) block.set(bytes, at - start);
  return block;
}

/** The block for a machine of `cpus` processors, to be placed at {@link ACPI_TABLES}. */
export function acpiTables(cpus: number): Uint8Array {
  const placed = placeTables(ACPI_TABLES + ALIGNMENT, cpus);
  const block = blockOf(placed, ACPI_TABLES);
  block.set(rsdp(placed.rsdt, placed.xsdt));
  return block;
}

function addresses(tables: readonly number[], size: 4 | 8): Uint8Array {
  const bytes = Buffer.alloc(tables.length * size);
  for (const [index, address] of tables.entries()) bytes.writeUInt32LE(address, index * size);
  return bytes;
}

/** The root pointer; its two checksums are {@link RSDP_SUMS}. */
export function rsdp(rsdt: number, xsdt: number): Uint8Array {
  const REVISION = 2;
  const bytes = Buffer.alloc(RSDP_BYTES);
  bytes.write('RSD PTR ', 0, 'latin1');
  bytes.write('RINGSD', 9, 'latin1');
  bytes[15] = REVISION;
  bytes.writeUInt32LE(rsdt, RSDP_ADDRESSES[0][0]);
  bytes.writeUInt32LE(RSDP_BYTES, 20);
  bytes.writeBigUInt64LE(BigInt(xsdt), RSDP_ADDRESSES[1][0]);
  for (const { at, length } of RSDP_SUMS) seal(bytes, at, length);
  return bytes;
}
