/** What a unit made of functions: code of their own, and inlined copies. DWARF 5, 3.3.8. */
import { type Abbrev, readU32, skipAttributes } from './abbrev.ts';
import type { Die } from './die.ts';
import { attribute, form, tag } from './dwarf-constants.ts';
import { containers } from './scopes.ts';
import type { Unit } from './unit.ts';
import { walkUnit } from './walk.ts';

/** A copy and the function around it. */
export interface InlinedCopy {
  readonly die: Die;
  readonly around: Die;
}

export interface Instances {
  readonly functions: readonly Die[];
  readonly copies: readonly InlinedCopy[];
}

const mayHold: ReadonlySet<number> = new Set([...containers, tag.inlinedSubroutine]);

/**
 * Instances of functions in their unit, with and without code. The entries are walked without being looked at but for what
 * they refer to: some functions of Linux have copies in a thousand units.
 * @param own Entries of which functions with code of their own are asked for, by {@link Die.offset}.
 * @param inlined Entries of which inlined copies are asked for.
 */
export function instancesIn(unit: Unit, own: ReadonlySet<number>, inlined: ReadonlySet<number>): Instances {
  const functions: Die[] = [];
  const copies: InlinedCopy[] = [];
  /** Where the function around begins, by depth. */
  const around: number[] = [0];
  const dieAt = (start: number) => unit.dieAt(unit.header.offset + start);
  walkUnit(unit, (abbrev, start, at, depth) => {
    const isFunction = abbrev.tag === tag.subprogram;
    around[depth + 1] = isFunction ? start : (around[depth] as number);
    if (isFunction && abbrev.refers && own.size > 0) {
      const die = dieAt(start);
      if (die.chain().some(({ offset }) => own.has(offset))) functions.push(die);
    } else if (abbrev.tag === tag.inlinedSubroutine && inlined.has(originOf(unit, abbrev, start, at)))
      copies.push({ die: dieAt(start), around: dieAt(around[depth] as number) });
    return depth === 0 || mayHold.has(abbrev.tag);
  });
  return { functions, copies };
}

/** Offset of the entry that an inlined copy is of. */
function originOf(unit: Unit, { refers, skips }: Abbrev, start: number, at: number): number {
  const { bytes, header } = unit;
  if (refers?.form === form.ref4)
    return header.offset + readU32(bytes, skipAttributes(skips, refers.steps, bytes, at, header) + refers.bytes);
  return unit.dieAt(header.offset + start).reference(attribute.abstractOrigin)?.offset ?? -1;
}
