/**
 * The indexes of a package of split DWARF, `.debug_cu_index` and `.debug_tu_index`: which part of each section belongs to
 * which unit. DWARF 5, 7.3.5; version 2 is GNU's, for DWARF 4.
 */
import { Cursor } from './bytes.ts';
import type { ElfFile } from './elf.ts';
import { type Contributions, type DebugSectionName, debugSection } from './unit-part.ts';

const headerSize = 16;
/** A signature and a row's number. */
const slotSize = 8 + 4;
/** By the number of a column. */
const columns: ReadonlyMap<number, readonly (DebugSectionName | undefined)[]> = new Map([
  [2, names('info', 'types', 'abbrev', 'line', 'loc', 'str_offsets', 'macinfo', 'macro')],
  [5, names('info', undefined, 'abbrev', 'line', 'loclists', 'str_offsets', 'macro', 'rnglists')],
]);

function names(...all: readonly (string | undefined)[]): readonly (DebugSectionName | undefined)[] {
  return [undefined, ...all.map((name) => (name === undefined ? undefined : (`.debug_${name}` as const)))];
}

interface PackedUnit {
  /** Of the type that it describes, or what it has in common with its skeleton. */
  readonly signature: bigint;
  readonly contributions: Contributions;
}

/** By where units begin in `.debug_info.dwo` or in `.debug_types.dwo`. */
export interface PackageIndex {
  readonly info: ReadonlyMap<number, PackedUnit>;
  readonly types: ReadonlyMap<number, PackedUnit>;
}

/** Throws `SymbolFileError` for an index that is damaged or of another version. */
export function readPackageIndex(elf: ElfFile): PackageIndex {
  const info = new Map<number, PackedUnit>();
  const types = new Map<number, PackedUnit>();
  for (const name of ['cu_index', 'tu_index']) {
    for (const unit of readIndex(elf, name)) {
      const inInfo = unit.contributions.get('.debug_info');
      const inTypes = unit.contributions.get('.debug_types');
      if (inTypes) types.set(inTypes.offset, unit);
      else if (inInfo) info.set(inInfo.offset, unit);
    }
  }
  return { info, types };
}

/** A hash table of signatures, the numbers of their rows in the same order, and rows of offsets, then of sizes. */
function readIndex(elf: ElfFile, name: string): PackedUnit[] {
  const section = debugSection(elf, name);
  const bytes = elf.bytes(section);
  // Where there are no units of types, dwp writes a header that is too short.
  if (!section || bytes.length <= headerSize) return [];
  const cursor = new Cursor(bytes, 0, section.name);
  const version = cursor.u16();
  cursor.skip(2);
  const [width, count, slots] = [cursor.u32(), cursor.u32(), cursor.u32()];
  if (count === 0 || width === 0) return [];
  const known = columns.get(version) ?? cursor.fail(`an index of version ${version} is not supported, 2 and 5 are`);
  const needed = slots * slotSize + (width + 2 * width * count) * 4;
  if (needed > cursor.left) cursor.fail('goes on behind the section');
  const hashed = Array.from({ length: slots }, () => cursor.u64());
  const rows = Array.from({ length: slots }, () => cursor.u32());
  const sections = Array.from({ length: width }, () => known[cursor.u32()]);
  const table = () => Array.from({ length: count }, () => sections.map(() => cursor.u32()));
  const [offsets, sizes] = [table(), table()];
  return hashed.flatMap((signature, slot) => {
    const row = (rows[slot] as number) - 1;
    const [from, size] = [offsets[row], sizes[row]];
    if (!from || !size) return [];
    const contributions = new Map(
      sections.flatMap((each, at) =>
        each ? [[each, { offset: from[at] as number, size: size[at] as number }] as const] : [],
      ),
    );
    return [{ signature, contributions }];
  });
}
