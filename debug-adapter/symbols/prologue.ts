/** Where a function's body begins: the place to stop at, with its arguments readable. Chosen as gdb chooses. */
import type { Range } from './addresses.ts';
import type { Die } from './die.ts';
import { attribute, form, tag } from './dwarf-constants.ts';
import { rowFlags } from './line-table.ts';
import type { Lines } from './lines.ts';
import { rangesOf } from './ranges.ts';
import type { Unit } from './unit.ts';

const assembler = 0x8001;

/** Distance of the first instruction after the prologue of a function that is not inlined; undefined for one without code. */
export function bodyOf(die: Die, lines: Lines): number | undefined {
  const [entry] = rangesOf(die);
  return entry && prologueEnd(die.unit, entry, lines);
}

/** Where a step into such a function stops: behind the frame that it sets up, also where variables are known before. */
export function steppedInto(die: Die, lines: Lines): number | undefined {
  const [entry] = rangesOf(die);
  if (!entry || isAssembly(die.unit)) return entry?.low;
  return frameEnd(die.unit, entry, lines);
}

/** `distance`, or the end of the prologue that it is in, of the function around it. */
export function pastPrologue(die: Die, distance: number, lines: Lines): number {
  const [entry] = rangesOf(die);
  if (!entry || distance < entry.low) return distance;
  return Math.max(distance, prologueEnd(die.unit, entry, lines));
}

function prologueEnd(unit: Unit, entry: Range, lines: Lines): number {
  // Assembly has no prologue that a compiler made, and optimised code says at every address where its variables are.
  if (isAssembly(unit) || tracksLocations(unit)) return entry.low;
  return frameEnd(unit, entry, lines);
}

const isAssembly = (unit: Unit) => unit.root.number(attribute.language) === assembler;

function frameEnd(unit: Unit, entry: Range, lines: Lines): number {
  const marked = lines.firstRow(unit, entry, rowFlags.prologueEnd);
  if (marked !== undefined) return marked;
  const afterFrame = entry.low + frameSetupLength(unit, entry.low);
  if (afterFrame === entry.low) return entry.low;
  const next = lines.nextRow(unit, afterFrame);
  return next !== undefined && next < entry.high ? next : afterFrame;
}

/** Whether the compiler described variables by location lists, which hold from the first instruction on. */
function tracksLocations(unit: Unit): boolean {
  if (!unit.producer.startsWith('GNU')) return false;
  for (const { tag: entryTag, attributes } of unit.abbrevs.values()) {
    if (entryTag !== tag.variable && entryTag !== tag.formalParameter) continue;
    const location = attributes.find((spec) => spec.name === attribute.location);
    if (location?.form === form.secOffset || location?.form === form.loclistx) return true;
  }
  return false;
}

/** Bytes of `endbr64; push rbp; mov rbp, rsp` (or the 32-bit forms) at an address; 0 where there is no such frame. */
function frameSetupLength(unit: Unit, distance: number): number {
  const { elf, addresses } = unit.info;
  const code = elf.load(addresses.toAddress(distance), 16);
  const has = (at: number, ...bytes: number[]) => bytes.every((byte, index) => code[at + index] === byte);
  let at = has(0, 0xf3, 0x0f, 0x1e, 0xfa) || has(0, 0xf3, 0x0f, 0x1e, 0xfb) ? 4 : 0;
  if (has(at, 0x55)) at += 1;
  else if (has(at, 0x40, 0x55)) at += 2;
  else return 0;
  if (addresses.wordSize === 8) {
    if (!has(at, 0x48)) return 0;
    at += 1;
  }
  return has(at, 0x89, 0xe5) || has(at, 0x8b, 0xec) ? at + 2 : 0;
}
