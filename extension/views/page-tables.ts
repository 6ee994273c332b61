/** Page Tables: the tree of the current CR3, read as it is expanded, and walks of single addresses above it. */
import { type Disposable, l10n, window } from 'vscode';
import type { Hex, PageTableRoot } from '../../debug-adapter/protocol/custom.ts';
import { request } from '../debug/ringside-session.ts';
import { pageTablesNodes, walkNode } from '../novsc/page-tables-nodes.ts';
import type { StateNode } from '../novsc/state-node.ts';
import type { StopStore } from '../state/stop-store.ts';
import { stoppedSession } from '../state/stopped-session.ts';
import { StateTree } from './state-tree.ts';

/** Walks that are shown at once. */
const MAX_WALKS = 8;

export class PageTablesView implements Disposable {
  /** What the user asked for, and the rows of its last walk. */
  #walks = new Map<string, StateNode>();
  #walkedAt: object | undefined;
  #tree: StateTree<'pageTables'>;

  constructor(readonly store: StopStore) {
    this.#tree = new StateTree(store, {
      view: 'ringside.pageTables',
      part: 'pageTables',
      build: (root) => this.#build(root),
      describe: () =>
        [`vCPU ${store.threadId - 1}`, store.pages.cr3 && `CR3 ${store.pages.cr3}`].filter(Boolean).join(', '),
    });
  }

  /** Walks one address, asked for unless a row was given, and shows the steps above the tree. */
  async walk(from?: StateNode | Hex): Promise<void> {
    if (!(await stoppedSession(this.store, l10n.t('Pause the guest to walk its page tables.')))) return;
    const expression =
      (typeof from === 'string' ? from : from?.address) ??
      (await window.showInputBox({
        title: l10n.t('Walk Page Tables'),
        prompt: l10n.t('A guest-virtual address: a number or a C expression, such as $rip or &buffer'),
        value: '$rip',
      }));
    if (!expression?.trim()) return;
    const row = await this.#read(expression.trim());
    const oldest = this.#walks.keys().next().value;
    if (this.#walks.size >= MAX_WALKS && oldest !== undefined) this.#walks.delete(oldest);
    this.#walks.set(expression.trim(), row);
    this.#tree.update(true);
    await this.#tree.reveal(row.id);
  }

  dropWalk(node: StateNode): void {
    for (const [expression, row] of this.#walks) if (row.id === node.id) this.#walks.delete(expression);
    this.#tree.update(true);
  }

  dispose(): void {
    this.#tree.dispose();
  }

  /** The root that is looked at, when it is not the vCPU's own. */
  get #root(): { readonly cr3?: Hex } {
    const { cr3 } = this.store.pages;
    return cr3 ? { cr3 } : {};
  }

  #build(root: PageTableRoot): readonly StateNode[] {
    if (root !== this.#walkedAt && this.#walks.size > 0) void this.#walkAgain(root);
    this.#walkedAt = root;
    const table = pageTablesNodes(root, async (path) => {
      const { session, threadId } = this.store;
      if (!session) return [];
      return (await request(session, 'ringside/pageTable', { threadId, path, ...this.#root })).entries;
    });
    return [...this.#walks.values(), ...table];
  }

  /** After a stop the pinned walks are made anew. */
  async #walkAgain(root: PageTableRoot): Promise<void> {
    if (this.store.phase !== 'stopped') return;
    const rows = await Promise.all([...this.#walks.keys()].map(async (key) => [key, await this.#read(key)] as const));
    if (this.#walkedAt !== root) return;
    for (const [key, row] of rows) if (this.#walks.has(key)) this.#walks.set(key, row);
    this.#tree.update(true);
  }

  async #read(expression: string): Promise<StateNode> {
    const { session, threadId } = this.store;
    try {
      if (!session) throw new Error('no session');
      const walk = await request(session, 'ringside/walk', { threadId, address: expression, ...this.#root });
      return walkNode(expression, walk);
    } catch (error) {
      const description = error instanceof Error ? error.message : String(error);
      return { id: `walk/${expression}`, label: `Walk of ${expression}`, description, icon: 'warning', walk: true };
    }
  }
}
