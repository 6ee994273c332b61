/** What one unit defines at file level: the entries that have a name there, found without looking at the others. */
import { type Abbrev, type AttributeSpec, readU32, skipAttributes } from '../abbrev.ts';
import { attribute, form, tag } from '../dwarf-constants.ts';
import type { Unit } from '../unit.ts';
import { walkUnit } from '../walk.ts';

/** Takes what is found. `die` is the entry as in `UnitHeader.offset`; of an enumerator, its enumeration. */
export interface NameSink {
  /** The name is in `.debug_str`. */
  atOffset(name: number, tag: number, die: number): void;
  /** The name is in the unit's own bytes, up to a zero. */
  inBytes(bytes: Uint8Array, at: number, tag: number, die: number): void;
  /** The name had to be made. */
  asText(name: string, tag: number, die: number): void;
}

/** A variable that is only declared, beside the tags of `.debug_info`. */
export const variableDeclaration = 0xff;

/** What every unit that includes a header has again. */
export const repeatedTags: readonly number[] = [
  tag.structureType,
  tag.classType,
  tag.unionType,
  tag.enumerationType,
  tag.typedef,
  tag.baseType,
  tag.enumerator,
];

const named: ReadonlySet<number> = new Set([tag.subprogram, tag.variable, ...repeatedTags]);

/** Entries nested deeper are damage. */
const maximumDepth = 64;

/** Throws `SymbolFileError` where the unit is damaged; what was found before has been taken. */
export function scanUnit(unit: Unit, sink: NameSink): void {
  /** Whether the entries at each depth are of file level, and the enumeration around them. */
  const counts = new Uint8Array(maximumDepth + 1);
  const enumerations = new Uint32Array(maximumDepth + 1);
  walkUnit(unit, (abbrev, start, at, depth) => {
    const isCounted = depth <= maximumDepth && counts[depth] === 1;
    if (isCounted && named.has(abbrev.tag)) {
      const around = abbrev.tag === tag.enumerator ? (enumerations[depth] as number) : start;
      take(unit, { abbrev, start, at, die: unit.header.offset + around }, sink);
    }
    const isEnumeration = abbrev.tag === tag.enumerationType;
    const enters = depth === 0 || (isCounted && (isEnumeration || abbrev.tag === tag.namespace));
    if (depth < maximumDepth) {
      counts[depth + 1] = enters ? 1 : 0;
      enumerations[depth + 1] = isEnumeration ? start : 0;
    }
    return enters;
  });
}

interface Found {
  readonly abbrev: Abbrev;
  /** Where the entry and its attributes begin in the unit. */
  readonly start: number;
  readonly at: number;
  readonly die: number;
}

function take(unit: Unit, found: Found, sink: NameSink): void {
  const { abbrev, die } = found;
  let kind = abbrev.tag;
  if (abbrev.isDeclaration) {
    if (kind !== tag.variable) return;
    kind = variableDeclaration;
  }
  if (abbrev.name) {
    takeName(unit, found, abbrev.name, kind, sink);
    return;
  }
  // The definition of what was declared before has its name there. An instance of an inlined function has none of its
  // own either, and is found by way of the abstract one, which another unit may hold.
  const { refers } = abbrev;
  if (!refers || (refers.name === attribute.abstractOrigin && refers.form !== form.refAddr)) return;
  const { bytes } = unit;
  const start = refers.form === form.ref4 ? readU32(bytes, positionOf(unit, found, refers)) : 0;
  const code = start > 0 ? (bytes[start] ?? 0) : 0;
  const declared = code > 0 && code < 0x80 ? unit.abbrevs.get(code) : undefined;
  if (declared?.name) takeName(unit, { abbrev: declared, start, at: start + 1, die }, declared.name, kind, sink);
  else takeText(unit, found, kind, sink);
}

function takeName(unit: Unit, found: Found, way: AttributeSpec, kind: number, sink: NameSink): void {
  const { bytes } = unit;
  const at = positionOf(unit, found, way);
  if (way.form === form.string) sink.inBytes(bytes, at, kind, found.die);
  else if (way.form === form.strp && unit.header.offsetSize === 4 && !unit.skeleton)
    sink.atOffset(readU32(bytes, at), kind, found.die);
  else takeText(unit, found, kind, sink);
}

function takeText(unit: Unit, { start, die }: Found, kind: number, sink: NameSink): void {
  const name = unit.dieAt(unit.header.offset + start).name;
  if (name !== undefined) sink.asText(name, kind, die);
}

const positionOf = (unit: Unit, { abbrev, at }: Found, way: AttributeSpec): number =>
  skipAttributes(abbrev.skips, way.steps, unit.bytes, at, unit.header) + way.bytes;
