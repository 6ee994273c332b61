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

/** Entries that functions may be in. */
export const containers: ReadonlySet<number> = new Set([
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

  /** @param mentions Of the instance around, for the blocks in it. */
  private build(
    die: Die,
    kind: Scope['kind'],
    parent: Scope | undefined,
    depth: number,
    mentions = new Mentions(),
  ): Scope {
    const isMentioned = mentions.fromHere();
    const children: Scope[] = [];
    const variables: Die[] = [];
    const scope: Scope = { kind, die, ranges: this.rangesOf(die), parent, children, variables };
    if (depth > maximumNesting) return scope;
    for (const child of die.children()) {
      switch (child.tag) {
        case tag.formalParameter:
        case tag.variable:
          mentions.note(child);
          variables.push(child);
          break;
        case tag.lexicalBlock:
        case tag.inlinedSubroutine: {
          const isBlock = child.tag === tag.lexicalBlock;
          if (isBlock) mentions.note(child);
          const inner = isBlock
            ? this.build(child, 'block', scope, depth + 1, mentions)
            : this.build(child, 'inlined', scope, depth + 1);
          // A block without code of its own says nothing, but what is in it counts for the scope around.
          if (inner.ranges.length > 0 || !isBlock) children.push(inner);
          else {
            children.push(...inner.children);
            variables.push(...inner.variables);
          }
          break;
        }
      }
    }
    const left = inherited(die, isMentioned);
    // Of a block, what is left of nothing but its name would only repeat that.
    variables.push(...(kind === 'block' ? left.filter(isLocated) : left));
    return scope;
  }
}

type IsMentioned = (die: Die) => boolean;

/** What of an abstract instance an instance and the blocks in it have a copy of. */
class Mentions {
  /** By the entry that is copied, the number of its last copy in the file's order. */
  private readonly last = new Map<number, number>();
  private count = 0;

  note(copy: Die): void {
    const origin = copy.reference(attribute.abstractOrigin);
    if (origin) this.last.set(origin.offset, this.count++);
  }

  /** Tells of an entry whether it is copied from here on: what is noted before a block ends is in it. */
  fromHere(): IsMentioned {
    const { count } = this;
    return ({ offset }) => (this.last.get(offset) ?? -1) >= count;
  }
}

/**
 * Variables of the abstract instance that this instance does not mention: those that nothing is left of, and static ones, which
 * have one place for all copies, also in blocks of which a copy has no code.
 */
function inherited(die: Die, isMentioned: IsMentioned): Die[] {
  const found: Die[] = [];
  for (const child of die.reference(attribute.abstractOrigin)?.children() ?? []) {
    if (isMentioned(child)) continue;
    if (isVariable(child)) found.push(child);
    else if (child.tag === tag.lexicalBlock) found.push(...staticsIn(child, isMentioned, 0));
  }
  return found;
}

function staticsIn(block: Die, isMentioned: IsMentioned, depth: number): Die[] {
  if (depth > maximumNesting) return [];
  return [...block.children()].flatMap((child) => {
    if (isMentioned(child)) return [];
    if (child.tag === tag.lexicalBlock) return staticsIn(child, isMentioned, depth + 1);
    return isVariable(child) && isLocated(child) ? [child] : [];
  });
}

const isVariable = (die: Die): boolean => die.tag === tag.formalParameter || die.tag === tag.variable;
const isLocated = (die: Die): boolean => die.bearer(attribute.location) !== undefined;
