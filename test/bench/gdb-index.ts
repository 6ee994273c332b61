/** Names out of gdb's own index, so that the bench can compare it with ours. GDB manual, "The .gdb_index section", version 7 and on. */
import { openDebugInfo } from '../../debug-adapter/symbols/debug-info.ts';
import { NameTable, NameTableBuilder } from '../../debug-adapter/symbols/index/name-table.ts';
import { scanUnit } from '../../debug-adapter/symbols/index/unit-names.ts';

const CU_ENTRY = 16;
const SLOT = 8;

/** Offsets in `.debug_info` of the units that define a name. */
export function unitsNamed(index: Buffer, name: string): number[] {
  const [units = 0, , , slotsAt = 0, pool = 0] = [1, 2, 3, 4, 5].map((word) => index.readUInt32LE(4 * word));
  const count = (pool - slotsAt) / SLOT;
  let hash = 0;
  for (const byte of Buffer.from(name.toLowerCase())) hash = (Math.imul(hash, 67) + byte - 113) >>> 0;
  const step = (Math.imul(hash, 17) & (count - 1)) | 1;
  for (let slot = hash & (count - 1); ; slot = (slot + step) & (count - 1)) {
    const [nameAt, vectorAt] = [0, 4].map((at) => index.readUInt32LE(slotsAt + SLOT * slot + at));
    if (!nameAt && !vectorAt) return [];
    const from = pool + (nameAt ?? 0);
    if (index.toString('latin1', from, index.indexOf(0, from)) !== name) continue;
    const vector = pool + (vectorAt ?? 0);
    const values = Array.from({ length: index.readUInt32LE(vector) }, (_, at) =>
      index.readUInt32LE(vector + 4 + 4 * at),
    );
    return values.map((value) => Number(index.readBigUInt64LE(units + CU_ENTRY * (value & 0xff_ffff))));
  }
}

/** Where in `.debug_info` a structure is defined, by the first unit that the index names. */
export function structByGdbIndex(path: string, index: Buffer, name: string, tag: number): number | undefined {
  const info = openDebugInfo(path);
  const [first] = unitsNamed(index, name);
  const unit = first === undefined ? undefined : info.unitAt(first);
  if (!unit) return undefined;
  const builder = new NameTableBuilder(info.section('.debug_str'), false);
  scanUnit(unit, builder);
  const [found] = new NameTable(builder.finish()).find(name, new Set([tag]));
  info.close();
  return found?.die;
}
