/**
 * Which rows of a tree are to be painted anew when another state takes the place of the one that is shown. VS Code asks for what
 * is below a row that is painted anew, level by level, through a window that is busy with the stop: rows that only say
 * something else are painted by themselves, and their neighbours not at all.
 */
import { listed, type StateNode } from './state-node.ts';

/** What a row says, and what is below it: ids of rows, `lazy` where they are read when they are asked for. */
interface Face {
  readonly says: string;
  readonly below: string;
}

export type Faces = ReadonlyMap<string, Face>;

/** The parent of the top rows, which is no row. */
const ROOT = '';

/** Faces of all rows that are there without being read; `says` is all that VS Code is told of a row. */
export function facesOf(roots: readonly StateNode[], says: (node: StateNode) => string): Faces {
  const faces = new Map<string, Face>([[ROOT, { says: '', below: idsOf(roots) }]]);
  const add = (node: StateNode) => {
    faces.set(node.id, { says: says(node), below: idsOf(node.children) });
    for (const child of listed(node)) add(child);
  };
  for (const node of roots) add(node);
  return faces;
}

/**
 * Of the rows below `roots` the highest that differ, undefined for all; and those of which `isOutdated` says that what was read
 * below them has to be read anew.
 */
export function changedRows(
  roots: readonly StateNode[],
  before: Faces,
  now: Faces,
  isOutdated: (id: string) => boolean,
): StateNode[] | undefined {
  if (before.get(ROOT)?.below !== now.get(ROOT)?.below) return undefined;
  const changed: StateNode[] = [];
  const look = (node: StateNode) => {
    const [old, face] = [before.get(node.id), now.get(node.id)];
    if (old?.says !== face?.says || old?.below !== face?.below || isOutdated(node.id)) changed.push(node);
    else listed(node).forEach(look);
  };
  roots.forEach(look);
  return changed;
}

const LAZY = 'lazy';

function idsOf(children: StateNode['children']): string {
  return typeof children === 'function' ? LAZY : JSON.stringify(children?.map(({ id }) => id) ?? null);
}
