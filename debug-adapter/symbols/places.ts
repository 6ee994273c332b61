/** Where to put a breakpoint for a line or a function. */
import type { BreakpointPlace, SourceLine } from './api.ts';
import type { DebugInfo } from './debug-info.ts';
import type { Die } from './die.ts';
import { attribute } from './dwarf-constants.ts';
import { type FunctionName, lastOf, means, parseFunctionName } from './function-name.ts';
import type { ImageIndex } from './index/image-index.ts';
import type { Lines, Statement } from './lines.ts';
import { prologueEnd } from './prologue.ts';
import { readableName } from './readable-name.ts';
import { scopedName } from './scoped-name.ts';
import type { Scope, Scopes } from './scopes.ts';
import type { SymbolTable } from './symtab.ts';
import type { Unit } from './unit.ts';

export class Places {
  constructor(
    private readonly info: DebugInfo,
    private readonly lines: Lines,
    private readonly scopes: Scopes,
    private readonly symbols: SymbolTable,
    private readonly names: ImageIndex,
  ) {}

  forLine(file: string, line: number): BreakpointPlace[] {
    return this.lines.match(file).flatMap((source) => this.forSourceLine(source, line));
  }

  linesWithCode(file: string, first: number, last: number): number[] {
    const found = new Set<number>();
    for (const source of this.lines.match(file))
      for (const statement of this.lines.statements(source, first, last)) found.add(statement.source.line);
    return [...found].sort((a, b) => a - b);
  }

  forFunction(name: string): BreakpointPlace[] {
    const distances = new Set<number>();
    const dies = this.functionsMeant(name);
    for (const die of dies) {
      for (const instance of this.instancesOf(die)) {
        const distance = this.bodyOf(instance);
        if (distance !== undefined) distances.add(distance);
      }
    }
    for (const die of dies)
      if (die.has(attribute.inline)) for (const distance of this.inlinedCopies(die)) distances.add(distance);
    if (dies.length === 0) for (const distance of this.assembled(name)) distances.add(distance);
    return [...distances].flatMap((distance) => this.place(distance));
  }

  /** Entries of that name, or of one that C++ or Rust writes so. */
  private functionsMeant(name: string): Die[] {
    const wanted = parseFunctionName(name);
    const own = new Set([name, ownName(wanted)]);
    for (const { address } of this.symbols.meant(wanted)) {
      const distance = this.info.addresses.fromGuest(address);
      const unit = this.lines.unitFor(distance);
      const found = (unit && this.scopes.functionAt(unit, distance))?.name;
      if (found !== undefined) own.add(found);
    }
    const dies = [...own].flatMap((each) => [...this.names.find(each, 'function')]);
    return dies.filter((die) => die.name === name || isMeant(die, name, wanted));
  }

  /** Functions of assembly sources, of which some assemblers describe the lines alone. */
  private assembled(name: string): number[] {
    return this.symbols
      .functions(name)
      .map(({ address }) => this.info.addresses.fromGuest(address))
      .filter((distance) => this.info.isLoaded(distance));
  }

  /** The lowest address of each copy: in one scope, later runs of the same line are the same statement gone on. */
  private forSourceLine(source: string, line: number): BreakpointPlace[] {
    const nearest = this.nearest(source, line);
    const byScope = new Map<string, Statement>();
    for (const statement of nearest) {
      const key = this.scopeKey(statement.unit, statement.distance);
      const known = byScope.get(key);
      if (!known || statement.distance < known.distance) byScope.set(key, statement);
    }
    const distances = new Set<number>();
    for (const { unit, distance } of byScope.values()) distances.add(this.pastPrologue(unit, distance));
    return [...distances].sort((a, b) => a - b).flatMap((distance) => this.place(distance));
  }

  private nearest(source: string, line: number): Statement[] {
    let found: Statement[] = [];
    let best = Number.POSITIVE_INFINITY;
    for (const statement of this.lines.statements(source, line, Number.POSITIVE_INFINITY)) {
      if (statement.source.line > best) continue;
      if (statement.source.line < best) found = [];
      best = statement.source.line;
      found.push(statement);
    }
    return found;
  }

  private scopeKey(unit: Unit, distance: number): string {
    const scope = this.scopes.pathAt(unit, distance).at(-1);
    return scope ? `scope ${scope.die.offset}` : `unit ${unit.index}`;
  }

  private pastPrologue(unit: Unit, distance: number): number {
    const die = this.scopes.functionAt(unit, distance);
    const ranges = die ? this.scopes.rangesOf(die) : [];
    const entry = ranges[0];
    if (!die || !entry || distance < entry.low) return distance;
    return Math.max(distance, this.bodyOf(die) ?? distance);
  }

  private bodyOf(die: Die): number | undefined {
    return prologueEnd(die, this.scopes.rangesOf(die), this.lines);
  }

  /** The function itself, or what its unit made of an abstract instance. */
  private instancesOf(die: Die): Die[] {
    if (this.scopes.rangesOf(die).length > 0) return [die];
    return this.scopes
      .functionsOf(die.unit)
      .filter((instance) => instance.chain().some((link) => link.offset === die.offset));
  }

  private *inlinedCopies(die: Die): Generator<number> {
    for (const instance of this.scopes.functionsOf(die.unit)) {
      for (const scope of inlinedScopes(this.scopes.tree(instance))) {
        if (scope.die.reference(attribute.abstractOrigin)?.offset !== die.offset) continue;
        const entry = scope.die.address(attribute.entryPc) ?? scope.ranges[0]?.low;
        if (entry !== undefined) yield this.pastPrologue(die.unit, entry);
      }
    }
  }

  private place(distance: number): BreakpointPlace[] {
    const line: SourceLine | undefined = this.lines.lineAt(distance);
    return line ? [{ address: this.info.addresses.toGuest(distance), line }] : [];
  }
}

function* inlinedScopes(scope: Scope): Generator<Scope> {
  for (const child of scope.children) {
    if (child.kind === 'inlined' && child.ranges.length > 0) yield child;
    yield* inlinedScopes(child);
  }
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
