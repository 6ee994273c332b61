/** VS Code knows the rows of a tree by their objects: a row that was there before stays the same object, with what is new. */
import type { StateNode } from './state-node.ts';

export class KnownRows {
  #byId = new Map<string, StateNode>();

  /** Rows for these nodes and all below them that are there without being read. Rows that are not among them are forgotten. */
  take(nodes: readonly StateNode[]): readonly StateNode[] {
    const now = new Map<string, StateNode>();
    const take = (node: StateNode): StateNode => {
      const { children } = node;
      const row = this.#byId.get(node.id) ?? ({} as StateNode);
      for (const key of Object.keys(row)) Reflect.deleteProperty(row, key);
      now.set(node.id, Object.assign(row, node, typeof children === 'object' && { children: children.map(take) }));
      return row;
    };
    const rows = nodes.map(take);
    this.#byId = now;
    return rows;
  }
}
