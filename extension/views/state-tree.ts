/** A tree view over one part of the state at a stop: rows from a pure builder, changes marked, kept when the guest ends. */
import {
  Disposable,
  EventEmitter,
  l10n,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  type TreeView,
  window,
} from 'vscode';
import type { PartError, StatePart } from '../../debug-adapter/protocol/custom.ts';
import { KnownRows } from '../novsc/known-rows.ts';
import { changedRows, type Faces, facesOf } from '../novsc/row-changes.ts';
import { changedBelow, isChanged, type StateNode, valuesOf } from '../novsc/state-node.ts';
import type { KeptPart, PartValue } from '../state/session-state.ts';
import type { StopStore } from '../state/stop-store.ts';
import { markUri } from './marks.ts';

type Good<Part extends StatePart> = Exclude<PartValue<Part>, PartError>;

export interface StateTreeOptions<Part extends StatePart> {
  /** View id of package.json. */
  readonly view: string;
  readonly part: Part;
  readonly build: (value: Good<Part>) => readonly StateNode[];
  /** Words at the view's title when the state is of a stop. */
  readonly describe?: () => string;
}

export class StateTree<Part extends StatePart> implements TreeDataProvider<StateNode>, Disposable {
  #emitter = new EventEmitter<StateNode[] | undefined>();
  #before = new Map<string, string>();
  #now = new Map<string, string>();
  #shown: KeptPart<Part> | undefined;
  #roots: readonly StateNode[] = [];
  #rows = new KnownRows();
  #faces: Faces = new Map();
  /** Rows that were read when a row was expanded, for when the guest is not stopped. */
  #lazy = new Map<string, readonly StateNode[]>();
  /** Rows that were unfolded, or folded, by hand. */
  #unfolded = new Map<string, boolean>();
  #ended = false;
  #disposables: Disposable[];

  readonly onDidChangeTreeData = this.#emitter.event;
  readonly view: TreeView<StateNode>;

  constructor(
    readonly store: StopStore,
    readonly options: StateTreeOptions<Part>,
  ) {
    this.view = window.createTreeView(options.view, { treeDataProvider: this, showCollapseAll: true });
    this.#disposables = [
      this.view,
      this.#emitter,
      this.view.onDidChangeVisibility(({ visible }) => void store.want(options.part, visible)),
      this.view.onDidExpandElement(({ element }) => this.#fold(element, true)),
      this.view.onDidCollapseElement(({ element }) => this.#fold(element, false)),
      store.onChangeOf(options.part, () => this.update()),
    ];
    void store.want(options.part, this.view.visible);
  }

  /** Takes what the store has; `force` builds the rows anew even for the same stop. */
  update(force = false): void {
    const kept = this.store.part(this.options.part);
    const ended = this.store.phase === 'ended';
    const isShown = kept === this.#shown && ended === this.#ended && !force;
    // At a stop that is yet to be read: what is said now, rows that come soon after would wait for.
    if (isShown && this.store.phase === 'stopped') return;
    if (!isShown) this.#build(kept, ended);
    // VS Code takes what a view says at once, and what comes within 200 ms of it together at their end: rows go first.
    const message = this.#message(kept);
    if (this.view.message !== message) this.view.message = message;
    const description = (kept && this.options.describe?.()) ?? '';
    if (this.view.description !== description) this.view.description = description;
  }

  /** Selects a top row and unfolds it, in a view that is opened where it is folded: what it shows is read before. */
  async reveal(id: string): Promise<void> {
    await this.store.want(this.options.part, true);
    const row = this.#roots.find((one) => one.id === id);
    if (row) await this.view.reveal(row, { select: true, expand: true });
  }

  #build(kept: KeptPart<Part> | undefined, ended: boolean): void {
    if (kept !== this.#shown) {
      // Of another vCPU or frame everything is different, and nothing has changed.
      const same = kept?.threadId === this.#shown?.threadId && kept?.frameId === this.#shown?.frameId;
      this.#before = same ? this.#now : new Map();
      this.#now = new Map();
      if (!kept) this.#lazy.clear();
    }
    this.#shown = kept;
    this.#ended = ended;
    const built = !kept || 'error' in kept.value ? [] : this.options.build(kept.value as Good<Part>);
    valuesOf(built, this.#now);
    this.#roots = this.#rows.take(built);
    this.#paint((id) => this.#lazy.has(id));
  }

  #isUnfolded(node: StateNode): boolean {
    return this.#unfolded.get(node.id) ?? node.expanded ?? false;
  }

  #fold(row: StateNode, unfolded: boolean): void {
    this.#unfolded.set(row.id, unfolded);
    if (changedBelow(row, this.#before) > 0) this.#paint(() => false);
  }

  /** Has VS Code take the rows that say something else, and ask for what is below those that `isOutdated` names. */
  #paint(isOutdated: (id: string) => boolean): void {
    const before = this.#faces;
    this.#faces = facesOf(this.#roots, (row) => JSON.stringify(this.getTreeItem(row)));
    const rows = changedRows(this.#roots, before, this.#faces, isOutdated);
    if (rows?.length !== 0) this.#emitter.fire(rows);
  }

  async getChildren(node?: StateNode): Promise<StateNode[]> {
    const children = node ? node.children : this.#roots;
    if (typeof children !== 'function') return [...(children ?? [])];
    const id = node?.id ?? '';
    if (this.store.phase !== 'stopped') return [...(this.#lazy.get(id) ?? [noteNode(id)])];
    try {
      const rows = await children();
      this.#lazy.set(id, rows);
      valuesOf(rows, this.#now);
      return [...rows];
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return [{ id: `${id}/error`, label: message, icon: 'warning', copy: message }];
    }
  }

  /** Only top rows are ever revealed. */
  getParent(): undefined {
    return undefined;
  }

  getTreeItem(node: StateNode): TreeItem {
    const item = new TreeItem(node.label, collapsible(node));
    const changed = isChanged(node, this.#before);
    // Unfolded, its rows say it themselves, and this one need not be painted anew for them.
    const below = this.#isUnfolded(node) ? 0 : changedBelow(node, this.#before);
    const remark = below > 0 && !node.value ? `${below} changed` : '';
    item.id = node.id;
    item.description = [node.description, remark].filter(Boolean).join('  ');
    item.tooltip = node.tooltip ?? `${node.label} ${node.description ?? ''}`;
    if (changed && !this.#ended) item.resourceUri = markUri('changed', node.id);
    else if (this.#ended) item.resourceUri = markUri('ended', node.id);
    item.iconPath = new ThemeIcon(node.icon, changed ? new ThemeColor('ringside.changedForeground') : undefined);
    item.contextValue = contextWords(node);
    item.accessibilityInformation = {
      label: `${node.label} ${item.description}${changed ? ', changed' : ''}`,
    };
    return item;
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  /** Empty where the view's welcome text speaks. What went wrong is said here, where there is room for all of it. */
  #message(kept: KeptPart<Part> | undefined): string {
    if (!kept) return '';
    if (this.store.phase === 'ended') return this.store.endMessage ?? '';
    if ('error' in kept.value) return kept.value.error;
    return this.store.runningShown ? l10n.t('The guest is running. This is the state of its last stop.') : '';
  }
}

function collapsible(node: StateNode): TreeItemCollapsibleState {
  if (!node.children) return TreeItemCollapsibleState.None;
  return node.expanded ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.Collapsed;
}

/** The words that `when` clauses of package.json look for. */
function contextWords(node: StateNode): string {
  const words = [
    node.copy !== undefined && 'value',
    node.address !== undefined && 'address',
    node.physical !== undefined && 'physical',
    node.screen && 'screen',
    node.code && 'code',
    node.vector !== undefined && 'vector',
    node.task !== undefined && 'task',
    node.register !== undefined && 'writable',
    node.stopOn && (node.stopOn.asked ? 'asked' : 'unasked'),
    node.pinned === false && 'unpinned',
    node.pinned && 'pinned',
    node.walk && 'walk',
  ];
  return words.filter(Boolean).join(' ');
}

function noteNode(parent: string): StateNode {
  return { id: `${parent}/note`, label: l10n.t('Pause the guest to read this table'), icon: 'debug-pause' };
}
