/** All entries of a unit in the order of the file, without looking at their attributes. DWARF 5, 2.3. */
import { type Abbrev, readU32, skipAttributes } from './abbrev.ts';
import { form } from './dwarf-constants.ts';
import type { Unit } from './unit.ts';

/**
 * Is shown each entry: its abbreviation, where in the unit it and its attributes begin, and how deep it is in others, the
 * unit's own entry at 0. Says whether those inside of it are to be shown.
 */
export type Visit = (abbrev: Abbrev, start: number, attributesAt: number, depth: number) => boolean;

/** Throws `SymbolFileError` where the unit is damaged; what is before has been shown. */
export function walkUnit(unit: Unit, visit: Visit): void {
  const { abbrevs, bytes, header } = unit;
  let depth = 0;
  for (let at = header.headerSize; at < bytes.length; ) {
    const start = at;
    let code = bytes[at++] as number;
    if (code >= 0x80) {
      code &= 0x7f;
      for (let scale = 128, more = true; more && at < bytes.length; scale *= 128) {
        const byte = bytes[at++] as number;
        code += (byte & 0x7f) * scale;
        more = byte >= 0x80;
      }
    }
    if (code === 0) {
      if (--depth <= 0) return;
      continue;
    }
    const abbrev = abbrevs.get(code);
    if (!abbrev) throw unit.cursor(start).error(`abbreviation ${code} is not in the unit's table`);
    const attributesAt = at;
    const enters = visit(abbrev, start, attributesAt, depth);
    at = skipAttributes(abbrev.skips, abbrev.skips.length, bytes, at, header);
    if (at > bytes.length) unit.cursor(start).fail('entry goes on behind its unit');
    if (!abbrev.hasChildren) {
      if (depth === 0) return;
      continue;
    }
    if (!enters) {
      const sibling = siblingOf(unit, abbrev, attributesAt);
      if (sibling > at && sibling <= bytes.length) {
        at = sibling;
        continue;
      }
    }
    depth++;
  }
}

function siblingOf({ bytes, header }: Unit, abbrev: Abbrev, attributesAt: number): number {
  const way = abbrev.sibling;
  if (way?.form !== form.ref4) return 0;
  return readU32(bytes, skipAttributes(abbrev.skips, way.steps, bytes, attributesAt, header) + way.bytes);
}
