/** Where to put a breakpoint for a function: behind the prologue of its own code, and at each inlined copy. */
import { contains } from './addresses.ts';
import type { DebugInfo } from './debug-info.ts';
import type { Die } from './die.ts';
import { attribute } from './dwarf-constants.ts';
import { type FunctionName, lastOf, means, parseFunctionName } from './function-name.ts';
import type { ImageIndex } from './index/image-index.ts';
import { instancesIn } from './instances.ts';
import type { Lines } from './lines.ts';
import { bodyOf, pastPrologue } from './prologue.ts';
import { rangesOf } from './ranges.ts';
import { readableName } from './readable-name.ts';
import { scopedName } from './scoped-name.ts';
import type { Scopes } from './scopes.ts';
import type { Sliced } from './slices.ts';
import type { SymbolTable } from './symtab.ts';
import type { Unit } from './unit.ts';

export class FunctionPlaces {
  constructor(
    private readonly info: DebugInfo,
    private readonly lines: Lines,
    private readonly scopes: Scopes,
    private readonly symbols: SymbolTable,
    private readonly names: ImageIndex,
  ) {}

  /** Distances: those of code of its own first. */
  *of(name: string): Sliced<number[]> {
    const bodies = new Set<number>();
    const copies = new Set<number>();
    const dies = yield* this.meant(name);
    for (const [unit, ofUnit] of byUnit(dies)) {
      yield;
      this.inUnit(unit, ofUnit, bodies, copies);
    }
    if (dies.length === 0) for (const distance of this.assembled(name)) bodies.add(distance);
    return [...new Set([...bodies, ...copies])];
  }

  private inUnit(unit: Unit, dies: readonly Die[], bodies: Set<number>, copies: Set<number>): void {
    const addBody = (die: Die) => {
      const distance = bodyOf(die, this.lines);
      if (distance !== undefined) bodies.add(distance);
    };
    const whole = new Set(dies.filter((die) => rangesOf(die).length > 0));
    for (const die of whole) addBody(die);
    const inlined = new Set(dies.filter((die) => die.has(attribute.inline)).map(({ offset }) => offset));
    const elsewhere = new Set(dies.filter((die) => !whole.has(die)).map(({ offset }) => offset));
    if (inlined.size + elsewhere.size === 0) return;
    const instances = instancesIn(unit, elsewhere, inlined);
    for (const die of instances.functions) addBody(die);
    for (const { die, around } of instances.copies) {
      const entry = entryOf(die);
      if (entry !== undefined) copies.add(pastPrologue(around, entry, this.lines));
    }
  }

  /** Entries of that name, or of one that C++ or Rust writes so. */
  private *meant(name: string): Sliced<Die[]> {
    const wanted = parseFunctionName(name);
    const own = new Set([name, ownName(wanted)]);
    for (const { address } of this.symbols.meant(wanted)) {
      const distance = this.info.addresses.fromGuest(address);
      const unit = this.lines.unitFor(distance);
      const found = (unit && this.scopes.functionAt(unit, distance))?.name;
      if (found !== undefined) own.add(found);
    }
    const dies: Die[] = [];
    for (const each of own)
      for (const die of this.names.find(each, 'function')) {
        yield;
        if (die.name === name || isMeant(die, name, wanted)) dies.push(die);
      }
    return dies;
  }

  /** Functions of assembly sources, of which some assemblers describe the lines alone. */
  private assembled(name: string): number[] {
    return this.symbols
      .functions(name)
      .map(({ address }) => this.info.addresses.fromGuest(address))
      .filter((distance) => this.info.isLoaded(distance));
  }
}

/** Of a copy. Where its instructions were mixed with others, gcc may say that it is entered at one that is none of them. */
function entryOf(die: Die): number | undefined {
  const ranges = rangesOf(die);
  const entry = ranges.length > 0 ? die.address(attribute.entryPc) : undefined;
  return entry !== undefined && contains(ranges, entry) ? entry : ranges[0]?.low;
}

function byUnit(dies: readonly Die[]): Map<Unit, Die[]> {
  const units = new Map<Unit, Die[]>();
  for (const die of dies) {
    const known = units.get(die.unit);
    if (known) known.push(die);
    else units.set(die.unit, [die]);
  }
  return units;
}

/** With its template arguments, as DWARF has them in the name. */
function ownName(wanted: FunctionName): string {
  const { base, templates = '' } = lastOf(wanted);
  return base + templates;
}

/** By its mangled name, or else, where there is none or it lacks what was asked for, by the scopes that it is in. */
function isMeant(die: Die, name: string, wanted: FunctionName): boolean {
  const linkage = die.bearer(attribute.linkageName)?.string(attribute.linkageName) ?? '';
  if (linkage === name) return true;
  const readable = readableName(linkage);
  const isMangled = readable !== linkage;
  if (isMangled && means(wanted, parseFunctionName(readable))) return true;
  const isInDwarfAlone = wanted.parts.some(({ base, templates }) => templates !== undefined || base.startsWith('{'));
  const mayBe = wanted.parameters === undefined && (!isMangled || isInDwarfAlone);
  return mayBe && means(wanted, { parts: scopedName(die) });
}
