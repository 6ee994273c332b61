/**
 * Tables of names that gdb or the linker put into a file. They are hints alone: each says which units define a name, and
 * what the name means is read out of those units. A table that does not fit the units of the file is not used.
 */
import type { DebugInfo } from '../debug-info.ts';
import type { Unit } from '../unit.ts';
import { DebugNames } from './debug-names.ts';
import { GdbIndex } from './gdb-index.ts';
import type { NameKind } from './name-kinds.ts';

export interface LinkedTable {
  /** Units that the table is of. */
  readonly covered: ReadonlySet<Unit>;
  /** Those of them that define a name, in no order, some more than once. Throws `SymbolFileError` where it is damaged. */
  unitsNamed(name: string, kind: NameKind): Iterable<Unit>;
}

/** Units that are read for one name: a function's with its inlined copies takes 40 ms each. */
const mostUnits = 8;
/** Of units that no table is of, such as those of assembly sources, which are looked at for every name. */
const mostUncovered = 256 * 1024;

export class LinkedNames {
  private opened: { readonly table: LinkedTable; readonly uncovered: readonly Unit[] } | null | undefined;

  constructor(private readonly info: DebugInfo) {}

  /**
   * Units that may define a name; none where there is no table that can be used. Of many units the first, which is enough of
   * a type or enumerator; of functions and variables all count, so that many are none.
   */
  unitsNamed(name: string, kind: NameKind): readonly Unit[] {
    const { info } = this;
    this.opened ??= info.tolerate(() => this.open(), undefined) ?? null;
    const { opened } = this;
    if (!opened) return [];
    const named = info.tolerate(() => [...new Set(opened.table.unitsNamed(name, kind))], []);
    if (named.length > mostUnits && (kind === 'function' || kind === 'variable')) return [];
    const first = named.sort((a, b) => a.index - b.index).slice(0, mostUnits);
    return [...first, ...opened.uncovered];
  }

  private open() {
    const table = DebugNames.of(this.info) ?? GdbIndex.of(this.info);
    if (!table) return undefined;
    const { covered } = table;
    const uncovered = this.info.units.filter((unit) => !covered.has(unit) && !this.info.isReplaced(unit));
    const bytes = uncovered.reduce((sum, { header }) => sum + header.size, 0);
    return bytes > mostUncovered ? undefined : { table, uncovered };
  }
}
