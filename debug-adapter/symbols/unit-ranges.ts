/** Which unit an address belongs to: `.debug_aranges` where a unit has some, else the unit's own ranges. */
import { lastAtMost, type Range } from './addresses.ts';
import { Cursor } from './bytes.ts';
import type { DebugInfo } from './debug-info.ts';
import type { LineTable } from './line-table.ts';
import { rangesOf } from './ranges.ts';
import type { Unit } from './unit.ts';

interface UnitRange {
  readonly low: number;
  readonly high: number;
  readonly unit: Unit;
}

export class UnitRanges {
  private sorted: readonly UnitRange[] | undefined;

  constructor(
    private readonly info: DebugInfo,
    private readonly tableOf: (unit: Unit) => LineTable | undefined,
  ) {}

  unitFor(distance: number): Unit | undefined {
    this.sorted ??= this.collect().sort((a, b) => a.low - b.low);
    const list = this.sorted;
    const index = lastAtMost(list.length, (at) => (list[at] as UnitRange).low, distance);
    // Ranges of different units seldom overlap; look back a few for those that do.
    for (let at = index; at >= 0 && at > index - 8; at--) {
      const range = list[at] as UnitRange;
      if (distance < range.high) return range.unit;
    }
    return undefined;
  }

  private collect(): UnitRange[] {
    const ranges = this.info
      .tolerate(() => readAranges(this.info), [])
      .filter((range) => this.info.isLoaded(range.low));
    const known = new Set(ranges.map((range) => range.unit));
    for (const unit of this.info.units) {
      if (known.has(unit) || unit.isType || this.info.isReplaced(unit)) continue;
      for (const { low, high } of this.info.tolerate(() => this.ownRanges(unit), [])) ranges.push({ low, high, unit });
    }
    return ranges;
  }

  private ownRanges(unit: Unit): readonly Range[] {
    const ranges = rangesOf(unit.inImage.root);
    return ranges.length > 0 ? ranges : (this.tableOf(unit)?.sequences ?? []);
  }
}

/** DWARF 5, 6.1.2. A table that cannot be read is left out: the units' own ranges say the same. */
function readAranges(info: DebugInfo): UnitRange[] {
  const bytes = info.section('.debug_aranges');
  const ranges: UnitRange[] = [];
  for (let at = 0; at + 12 <= bytes.length; ) {
    const cursor = new Cursor(bytes, at, '.debug_aranges');
    const length = cursor.u32();
    const end = cursor.at + length;
    // 64-bit DWARF marks itself by a length that no section has.
    if (end > bytes.length) break;
    cursor.skip(2);
    const unit = info.fullUnitAt(cursor.u32());
    const size = cursor.u8();
    const segmentSize = cursor.u8();
    const tuple = size * 2;
    if (unit && segmentSize === 0 && size === info.addresses.wordSize) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (let entry = at + Math.ceil(12 / tuple) * tuple; entry + tuple <= end; entry += tuple) {
        const low = info.addresses.read(view, entry);
        const span = size === 8 ? Number(view.getBigUint64(entry + 8, true)) : view.getUint32(entry + 4, true);
        if (span > 0) ranges.push({ low, high: low + span, unit });
      }
    }
    at = end;
  }
  return ranges;
}
