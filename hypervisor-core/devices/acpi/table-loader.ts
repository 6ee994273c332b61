/**
 * The ACPI tables as firmware takes them from fw_cfg, to put them where it has room: two files, and a list of what to do with
 * them (QEMU, include/hw/acpi/bios-linker-loader; SeaBIOS, src/fw/romfile_loader.h). Addresses in the files are offsets until then.
 */
import type { FwCfgFile } from '../fw-cfg.ts';
import { CHECKSUM } from './acpi-table.ts';
import { ALIGNMENT, blockOf, placeTables, RSDP_ADDRESSES, RSDP_SUMS, rsdp } from './acpi-tables.ts';

const ENTRY_BYTES = 128;
const NAME_BYTES = 56;
const COMMAND = { allocate: 1, addPointer: 2, addChecksum: 3 };
const ZONE = { high: 1, fSegment: 2 };

const RSDP = 'etc/acpi/rsdp';
const TABLES = 'etc/acpi/tables';

/** The files for a machine of `cpus` processors. */
export function acpiFiles(cpus: number): FwCfgFile[] {
  const placed = placeTables(0, cpus);
  const pointers = placed.tables.flatMap(({ at, addresses }) =>
    addresses.map(([offset, size]) => addPointer(TABLES, at + offset, size)),
  );
  const sums = placed.tables
    .filter(({ checksum }) => checksum)
    .map(({ at, bytes }) => addChecksum(TABLES, at + CHECKSUM, at, bytes.length));
  const script = [
    allocate(RSDP, 16, ZONE.fSegment),
    allocate(TABLES, ALIGNMENT, ZONE.high),
    ...pointers,
    ...sums,
    ...RSDP_ADDRESSES.map(([offset, size]) => addPointer(RSDP, offset, size)),
    ...RSDP_SUMS.map(({ at, length }) => addChecksum(RSDP, at, 0, length)),
  ];
  return [
    { name: RSDP, bytes: rsdp(placed.rsdt, placed.xsdt) },
    { name: TABLES, bytes: blockOf(placed, 0) },
    { name: 'etc/table-loader', bytes: Buffer.concat(script) },
  ];
}

function entry(command: number, file: string): Buffer {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  bytes.writeUInt32LE(command);
  bytes.write(file, 4, 'latin1');
  return bytes;
}

function allocate(file: string, alignment: number, zone: number): Buffer {
  const bytes = entry(COMMAND.allocate, file);
  bytes.writeUInt32LE(alignment, 4 + NAME_BYTES);
  bytes[8 + NAME_BYTES] = zone;
  return bytes;
}

/** To the number of `size` bytes at `offset` of the file, the address of the tables is added. */
function addPointer(file: string, offset: number, size: number): Buffer {
  const bytes = entry(COMMAND.addPointer, file);
  bytes.write(TABLES, 4 + NAME_BYTES, 'latin1');
  bytes.writeUInt32LE(offset, 4 + 2 * NAME_BYTES);
  bytes[8 + 2 * NAME_BYTES] = size;
  return bytes;
}

function addChecksum(file: string, offset: number, start: number, length: number): Buffer {
  const bytes = entry(COMMAND.addChecksum, file);
  for (const [index, value] of [offset, start, length].entries()) {
    bytes.writeUInt32LE(value, 4 + NAME_BYTES + 4 * index);
  }
  return bytes;
}
