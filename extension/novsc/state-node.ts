/**
 * The rows of a tree view as plain data. The builders beside this file turn a part of a snapshot into rows and can so be
 * tested without VS Code; extension/views turns rows into tree items.
 */
import type { Hex } from '../../debug-adapter/protocol/custom.ts';

export interface StateNode {
  /** Names the same thing at every stop: VS Code keeps a row expanded by it, and changes are found by it. */
  readonly id: string;
  readonly label: string;
  readonly description?: string;
  readonly tooltip?: string;
  /** A codicon's name. Without one VS Code shows a file's icon at marked rows. */
  readonly icon: string;
  /** Compared from stop to stop; absent for rows that cannot change. */
  readonly value?: string;
  /** What "Copy Value" copies. */
  readonly copy?: string;
  /** A guest-virtual address that this row is about. */
  readonly address?: Hex;
  /** A guest-physical address that this row is about. */
  readonly physical?: Hex;
  /** True for a framebuffer whose picture can be shown. */
  readonly screen?: boolean;
  /** An interrupt vector that this row is about. */
  readonly vector?: number;
  /** The pid of the task that this row is. */
  readonly task?: number;
  /** True when `address` is code. */
  readonly code?: boolean;
  /** Set when the row is a register that can be set. */
  readonly register?: string;
  /** Set for what the guest can be stopped before it writes it: a line of `monitor stop-on`, and whether it was asked for. */
  readonly stopOn?: { readonly line: string; readonly asked: boolean };
  /** Set for what can be pinned to the top: whether it is. */
  readonly pinned?: boolean;
  readonly walk?: boolean;
  readonly expanded?: boolean;
  /** Rows below, or how to read them when the row is first expanded. */
  readonly children?: readonly StateNode[] | (() => Promise<readonly StateNode[]>);
}

/** The rows below that are there without being read. */
export function listed({ children }: StateNode): readonly StateNode[] {
  return typeof children === 'object' ? children : [];
}

/** Values of the rows and of all rows below that were read already, by id. */
export function valuesOf(nodes: readonly StateNode[], into = new Map<string, string>()): Map<string, string> {
  for (const node of nodes) {
    if (node.value !== undefined) into.set(node.id, node.value);
    valuesOf(listed(node), into);
  }
  return into;
}

/** How many of the rows below `node` have another value than in `before`. */
export function changedBelow(node: StateNode, before: ReadonlyMap<string, string>): number {
  return listed(node).reduce((sum, child) => sum + (isChanged(child, before) ? 1 : 0) + changedBelow(child, before), 0);
}

/** A row that was not there before is not marked: it would colour whole tables that were read for the first time. */
export function isChanged(node: StateNode, before: ReadonlyMap<string, string>): boolean {
  const old = before.get(node.id);
  return old !== undefined && node.value !== undefined && old !== node.value;
}
