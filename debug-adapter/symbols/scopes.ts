/** Functions, inlined calls and lexical blocks with their machine code, and the variables in them. DWARF 5, 3.3 to 3.5. */
import { contains, type Range } from './addresses.ts';
import type { Die } from './die.ts';
import { attribute, tag } from './dwarf-constants.ts';
import { rangesOf } from './ranges.ts';
import type { Unit } from './unit.ts';

/** Scopes nested deeper than this are damage, and what is inside them is left out. */
const maximumNesting = 256;
/** Units of which functions and scopes are kept. */
const keptUnits = 64;

export interface Scope {
  readonly kind: 'function' | 'inlined' | 'block';
  readonly die: Die;
  /** As in the file: the first is not always the lowest. */
  readonly ranges: readonly Range[];
  readonly parent: Scope | undefined;
  readonly children: readonly Scope[];
  /** Formal parameters and variables, in order, without those of inner scopes. */
  readonly variables: readonly Die[];
}

const containers: ReadonlySet<number> = new Set([
  tag.namespace,
  tag.structureType,
  tag.classType,
  tag.unionType,
  tag.lexicalBlock,
  tag.subprogram,
]);

export class Scopes {
  private readonly functions = new Map<Unit, readonly Die[]>();
  private readonly ranges = new Map<number, readonly Range[]>();
  private readonly trees = new Map<number, Scope>();

  /** Entries of the functions with machine code in a unit. */
  functionsOf(unit: Unit): readonly Die[] {
    let found = this.functions.get(unit);
    if (!found) {
      if (this.functions.size >= keptUnits) this.forget();
      const list: Die[] = [];
      this.collect(unit.root, list, 0);
      found = list;
      this.functions.set(unit, found);
    }
    return found;
  }

  rangesOf(die: Die): readonly Range[] {
    let ranges = this.ranges.get(die.offset);
    if (!ranges) {
      ranges = rangesOf(die);
      this.ranges.set(die.offset, ranges);
    }
    return ranges;
  }

  /** The innermost function that is not inlined. */
  functionAt(unit: Unit, distance: number): Die | undefined {
    return this.functionsOf(unit).findLast((die) => contains(this.rangesOf(die), distance));
  }

  tree(die: Die): Scope {
    let tree = this.trees.get(die.offset);
    if (!tree) {
      tree = this.build(die, 'function', undefined, 0);
      this.trees.set(die.offset, tree);
    }
    return tree;
  }

  /** Scopes around an address, the function first, the innermost last; empty where no function is. */
  pathAt(unit: Unit, distance: number): Scope[] {
    const die = this.functionAt(unit, distance);
    if (!die) return [];
    const path = [this.tree(die)];
    for (;;) {
      const next = path.at(-1)?.children.find((child) => contains(child.ranges, distance));
      if (!next) return path;
      path.push(next);
    }
  }

  private forget(): void {
    this.functions.clear();
    this.ranges.clear();
    this.trees.clear();
  }

  private collect(parent: Die, into: Die[], depth: number): void {
    if (depth > maximumNesting) return;
    for (const die of parent.children()) {
      if (!containers.has(die.tag)) continue;
      if (die.tag === tag.subprogram && this.rangesOf(die).length > 0) into.push(die);
      if (die.abbrev.hasChildren) this.collect(die, into, depth + 1);
    }
  }

  private build(die: Die, kind: Scope['kind'], parent: Scope | undefined, depth: number): Scope {
    const children: Scope[] = [];
    const variables: Die[] = [];
    const scope: Scope = { kind, die, ranges: this.rangesOf(die), parent, children, variables };
    if (depth > maximumNesting) return scope;
    for (const child of die.children()) {
      switch (child.tag) {
        case tag.formalParameter:
        case tag.variable:
          variables.push(child);
          break;
        case tag.lexicalBlock:
        case tag.inlinedSubroutine: {
          const inner = this.build(child, child.tag === tag.lexicalBlock ? 'block' : 'inlined', scope, depth + 1);
          // A block without code of its own says nothing, but what is in it counts for the scope around.
          if (inner.ranges.length > 0 || child.tag === tag.inlinedSubroutine) children.push(inner);
          else {
            children.push(...inner.children);
            variables.push(...inner.variables);
          }
          break;
        }
      }
    }
    const left = inherited(die);
    // Of a block, what is left of nothing but its name would only repeat that.
    variables.push(...(kind === 'block' ? left.filter(isLocated) : left));
    return scope;
  }
}

/**
 * Variables of the abstract instance that this instance does not mention: those that nothing is left of, and static ones, which
 * have one place for all copies, also in blocks of which a copy has no code.
 */
function inherited(die: Die): Die[] {
  const origin = die.reference(attribute.abstractOrigin);
  if (!origin) return [];
  const mentioned = new Set<number | undefined>();
  noteMentioned(die, mentioned, 0);
  const found: Die[] = [];
  for (const child of origin.children()) {
    if (mentioned.has(child.offset)) continue;
    if (isVariable(child)) found.push(child);
    else if (child.tag === tag.lexicalBlock) found.push(...staticsIn(child, mentioned, 0));
  }
  return found;
}

/** What of an abstract instance an instance and the blocks in it have a copy of. */
function noteMentioned(die: Die, into: Set<number | undefined>, depth: number): void {
  if (depth > maximumNesting) return;
  for (const child of die.children()) {
    if (child.tag === tag.inlinedSubroutine) continue;
    into.add(child.reference(attribute.abstractOrigin)?.offset);
    if (child.tag === tag.lexicalBlock) noteMentioned(child, into, depth + 1);
  }
}

function staticsIn(block: Die, mentioned: ReadonlySet<number | undefined>, depth: number): Die[] {
  if (depth > maximumNesting) return [];
  return [...block.children()].flatMap((child) => {
    if (mentioned.has(child.offset)) return [];
    if (child.tag === tag.lexicalBlock) return staticsIn(child, mentioned, depth + 1);
    return isVariable(child) && isLocated(child) ? [child] : [];
  });
}

const isVariable = (die: Die): boolean => die.tag === tag.formalParameter || die.tag === tag.variable;
const isLocated = (die: Die): boolean => die.bearer(attribute.location) !== undefined;
