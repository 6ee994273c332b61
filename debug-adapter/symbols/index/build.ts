/** Makes the index of a whole image: what is defined where, by name, and which units have code of which source file. */
import type { DebugInfo } from '../debug-info.ts';
import { readLineHeader } from '../line-header.ts';
import type { Unit } from '../unit.ts';
import { type NameColumns, NameTableBuilder } from './name-table.ts';
import { scanUnit } from './unit-names.ts';

export interface SourceColumns {
  readonly paths: readonly string[];
  /** First unit of each path in {@link SourceColumns.units}, and the end. */
  readonly starts: Uint32Array;
  /** Numbers of units. */
  readonly units: Uint32Array;
}

export interface ImageColumns {
  readonly names: NameColumns;
  readonly sources: SourceColumns;
}

/** Reads every unit once. Damage ends the unit that it is in and is noted in `info.problems`. */
export function buildColumns(info: DebugInfo, onProgress: (fraction: number) => void = () => undefined): ImageColumns {
  const names = new NameTableBuilder(info.section('.debug_str'));
  const sources = new SourcesBuilder();
  const count = info.units.length;
  // Read as a whole now, or else in pieces for each unit.
  info.section('.debug_line');
  info.forEachUnit((unit) => {
    info.tolerate(() => scanUnit(unit, names), undefined);
    info.tolerate(() => sources.add(unit), undefined);
    if (unit.index % 64 === 63) onProgress(unit.index / count);
  });
  return { names: names.finish(), sources: sources.finish() };
}

class SourcesBuilder {
  private readonly unitsOf = new Map<string, number[]>();

  add(unit: Unit): void {
    if (unit.isType || unit.info.isReplaced(unit)) return;
    for (const path of readLineHeader(unit)?.files ?? []) {
      const units = this.unitsOf.get(path);
      if (!units) {
        // What is no file is called `<built-in>` and the like.
        if (path !== '' && !path.endsWith('>')) this.unitsOf.set(path, [unit.index]);
      } else if (units.at(-1) !== unit.index) units.push(unit.index);
    }
  }

  finish(): SourceColumns {
    const lists = [...this.unitsOf.values()];
    const starts = new Uint32Array(lists.length + 1);
    lists.forEach((list, index) => {
      starts[index + 1] = (starts[index] as number) + list.length;
    });
    const units = new Uint32Array(starts[lists.length] as number);
    for (const [index, list] of lists.entries()) units.set(list, starts[index]);
    return { paths: [...this.unitsOf.keys()], starts, units };
  }
}
