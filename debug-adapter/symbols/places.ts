/** Where to put a breakpoint for a line or a function. Of a large image there may be thousands of places: looked for in slices. */
import type { BreakpointPlace, SourceLine } from './api.ts';
import type { DebugInfo } from './debug-info.ts';
import { FunctionPlaces } from './function-places.ts';
import type { ImageIndex } from './index/image-index.ts';
import type { Lines, Statement } from './lines.ts';
import { pastPrologue } from './prologue.ts';
import type { Scope, Scopes } from './scopes.ts';
import type { Sliced } from './slices.ts';
import type { SymbolTable } from './symtab.ts';
import type { Unit } from './unit.ts';

/** Answers that are kept: as many as a user has breakpoints at once. */
const keptAnswers = 256;

interface Placed {
  readonly distance: number;
  readonly line: SourceLine;
}

export class Places {
  private readonly functions: FunctionPlaces;
  private readonly kept = new Map<string, readonly Placed[]>();

  constructor(
    private readonly info: DebugInfo,
    private readonly lines: Lines,
    private readonly scopes: Scopes,
    symbols: SymbolTable,
    private readonly names: ImageIndex,
  ) {
    this.functions = new FunctionPlaces(info, lines, scopes, symbols, names);
  }

  forFunction(name: string): Sliced<BreakpointPlace[]> {
    return this.answer(`function ${name}`, () => this.functions.of(name));
  }

  forLine(file: string, line: number): Sliced<BreakpointPlace[]> {
    return this.answer(`line ${line} of ${file}`, () => this.ofLine(file, line));
  }

  *linesWithCode(file: string, first: number, last: number): Sliced<number[]> {
    const found = new Set<number>();
    for (const source of this.lines.match(file))
      for (const statements of this.lines.statements(source, first, last)) {
        yield;
        for (const statement of statements) found.add(statement.source.line);
      }
    return [...found].sort((a, b) => a - b);
  }

  /** The same at each asking, once all names are known; where the guest has it now. */
  private *answer(question: string, find: () => Sliced<number[]>): Sliced<BreakpointPlace[]> {
    let placed = this.kept.get(question);
    if (!placed) {
      const { isWhole } = this.names;
      placed = yield* this.placed(yield* find());
      const [oldest] = this.kept.keys();
      if (oldest !== undefined && this.kept.size >= keptAnswers) this.kept.delete(oldest);
      if (isWhole) this.kept.set(question, placed);
    }
    return placed.map(({ distance, line }) => ({ address: this.info.addresses.toGuest(distance), line }));
  }

  private *placed(distances: readonly number[]): Sliced<Placed[]> {
    const found: Placed[] = [];
    for (const distance of distances) {
      yield;
      const line = this.lines.lineAt(distance);
      if (line) found.push({ distance, line });
    }
    return found;
  }

  private *ofLine(file: string, line: number): Sliced<number[]> {
    const distances: number[] = [];
    for (const source of this.lines.match(file)) distances.push(...(yield* this.ofSourceLine(source, line)));
    return distances;
  }

  /** The lowest address of each copy: in one scope, later runs of the same line are the same statement gone on. */
  private *ofSourceLine(source: string, line: number): Sliced<number[]> {
    const nearest = yield* this.nearest(source, line);
    const byScope = new Map<string, Statement>();
    for (const statement of nearest) {
      yield;
      const key = this.scopeKey(statement.unit, statement.distance);
      const known = byScope.get(key);
      if (!known || statement.distance < known.distance) byScope.set(key, statement);
    }
    const distances = new Set<number>();
    for (const { unit, distance } of byScope.values()) {
      yield;
      const die = this.scopes.functionAt(unit, distance);
      distances.add(die ? pastPrologue(die, distance, this.lines) : distance);
    }
    return [...distances].sort((a, b) => a - b);
  }

  /** Rows without code of their own count where just their line is meant: there is where a call was inlined from another file. */
  private *nearest(source: string, line: number): Sliced<Statement[]> {
    let found: Statement[] = [];
    let best = Number.POSITIVE_INFINITY;
    for (const all of this.lines.statements(source, line, Number.POSITIVE_INFINITY)) {
      yield;
      const statements = all.filter((statement) => !statement.isEmpty || statement.source.line === line);
      const least = statements.reduce((low, statement) => Math.min(low, statement.source.line), best);
      if (least < best) found = [];
      best = least;
      found.push(...statements.filter((statement) => statement.source.line === best));
    }
    return found;
  }

  private scopeKey(unit: Unit, distance: number): string {
    // A block that only holds others is none to gdb, of which it takes the outer one's place.
    const counts = ({ kind, variables }: Scope) => kind !== 'block' || variables.length > 0;
    const scope = this.scopes.pathAt(unit, distance).findLast(counts);
    return scope ? `scope ${scope.die.offset}` : `unit ${unit.index}`;
  }
}
