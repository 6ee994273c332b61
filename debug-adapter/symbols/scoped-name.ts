/** The scopes that an entry stands in, by their names: namespaces, types, functions. DWARF 5, 3.2.2. */
import type { Die } from './die.ts';
import { tag } from './dwarf-constants.ts';
import { type NamePart, parseFunctionName } from './function-name.ts';

/** Entries nested deeper are damage. */
const maximumDepth = 64;
/** As C++'s demanglers and gdb call it. */
const anonymous = '(anonymous namespace)';

/** The names of the scopes of what `die` is an instance or the definition of, outermost first, and its own. */
export function scopedName(die: Die): NamePart[] {
  const declared = die.chain().at(-1) ?? die;
  return pathTo(declared).flatMap((each) => {
    const name = each.name ?? (each.tag === tag.namespace ? anonymous : undefined);
    return name === undefined ? [] : parseFunctionName(name).parts;
  });
}

/** From below the unit's entry down to `die`. Entries have no way up, so it is looked for from the top. */
function pathTo(die: Die): Die[] {
  const path: Die[] = [];
  for (let parent = die.unit.root; path.length < maximumDepth; ) {
    let last: Die | undefined;
    for (const child of parent.children()) {
      if (child.at > die.at) break;
      last = child;
    }
    if (!last) return path;
    path.push(last);
    if (last.at === die.at) return path;
    parent = last;
  }
  return path;
}
