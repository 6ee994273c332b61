/**
 * The rows of a log that may be long and grows while it is looked at: searched, sorted and with repeats merged as the
 * user asked. What comes is taken in as it comes, and a new search or order in slices, so that 100,000 records do not
 * hold up the extension host.
 */
import { type Column, compareOrder, type RowSearch, rowSearch, type SortOrder } from './table.ts';

/** Items that are looked at without letting others have a turn. */
const SLICE = 4096;

/** A row: an item, or several in a row that say the same. */
export interface Run<Item> {
  readonly item: Item;
  count: number;
  last: Item;
  /** Places of the first and the last item in the whole log. */
  readonly at: number;
  lastAt: number;
}

export interface LogOptions<Item> {
  readonly columns: readonly Column<Run<Item>>[];
  /** Items kept; older ones go. */
  readonly capacity: number;
  /** True when an item that follows another says the same. Without it nothing is ever merged. */
  readonly repeats?: (before: Item, item: Item) => boolean;
}

export class LogModel<Item> {
  readonly #options: LogOptions<Item>;
  readonly #changed: () => void;
  #items: Item[] = [];
  /** What the search looks through; made when first needed, and kept. */
  #texts: (string | undefined)[] = [];
  /** Items that went because there were too many. */
  #gone = 0;
  #runs: Run<Item>[] = [];
  #last: Run<Item> | undefined;
  /** Items that have been looked at, those that went included. */
  #seen = 0;
  #search: RowSearch<Run<Item>>;
  #sort: SortOrder | undefined;
  #compare: ((a: Run<Item>, b: Run<Item>) => number) | undefined;
  #merging: boolean;
  #turn: NodeJS.Immediate | undefined;

  /** `changed` is called when rows are others than before, also when a slice is done later. */
  constructor(options: LogOptions<Item>, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
    this.#search = rowSearch(options.columns, '');
    this.#merging = options.repeats !== undefined;
  }

  /** Items that are kept, shown or not. */
  get kept(): number {
    return this.#items.length;
  }

  /** Rows to be shown. */
  get rows(): readonly Run<Item>[] {
    return this.#runs;
  }

  get sort(): SortOrder | undefined {
    return this.#sort;
  }

  get merging(): boolean {
    return this.#merging;
  }

  append(items: readonly Item[]): void {
    for (const item of items) this.#items.push(item);
    this.#texts.length = this.#items.length;
    this.#trim();
    if (!this.#turn) this.#lookAt(this.#items.length);
    this.#changed();
  }

  clear(): void {
    this.#items = [];
    this.#texts = [];
    this.#gone = 0;
    this.#again();
  }

  searchFor(text: string): void {
    this.#search = rowSearch(this.#options.columns, text);
    this.#again();
  }

  sortBy(sort: SortOrder | undefined): void {
    const column = this.#options.columns.find(({ key }) => key === sort?.key);
    this.#sort = column && sort;
    this.#compare = column && sort && compareOrder(column, sort.descending);
    this.#again();
  }

  merge(on: boolean): void {
    this.#merging = on;
    this.#again();
  }

  dispose(): void {
    clearImmediate(this.#turn);
  }

  #again(): void {
    clearImmediate(this.#turn);
    this.#runs = [];
    this.#last = undefined;
    this.#seen = this.#gone;
    this.#slice();
  }

  #slice(): void {
    this.#turn = undefined;
    this.#lookAt(SLICE);
    if (this.#seen < this.#gone + this.#items.length) this.#turn = setImmediate(() => this.#slice());
    this.#changed();
  }

  #lookAt(most: number): void {
    const fresh: Run<Item>[] = [];
    const end = Math.min(this.#gone + this.#items.length, this.#seen + most);
    for (; this.#seen < end; this.#seen++) this.#take(this.#seen, fresh);
    const compare = this.#compare;
    if (compare) this.#runs = mergeSorted(this.#runs, fresh.sort(compare), compare);
    else for (const run of fresh) this.#runs.push(run);
  }

  #take(at: number, fresh: Run<Item>[]): void {
    const position = at - this.#gone;
    const item = this.#items[position] as Item;
    const run: Run<Item> = { item, count: 1, last: item, at, lastAt: at };
    if (!this.#search.open) {
      this.#texts[position] ??= this.#search.textOf(run);
      if (!this.#search.finds(this.#texts[position] ?? '')) return;
    }
    const before = this.#last;
    if (before && this.#merging && this.#options.repeats?.(before.last, item)) {
      before.count++;
      before.last = item;
      before.lastAt = at;
    } else {
      this.#last = run;
      fresh.push(run);
    }
  }

  /** Lets go of the oldest, an eighth of the capacity at a time. */
  #trim(): void {
    const { capacity } = this.#options;
    if (this.#items.length <= capacity + capacity / 8) return;
    const surplus = this.#items.length - capacity;
    this.#items.splice(0, surplus);
    this.#texts.splice(0, surplus);
    this.#gone += surplus;
    this.#seen = Math.max(this.#seen, this.#gone);
    this.#runs = this.#runs.filter(({ lastAt }) => lastAt >= this.#gone);
  }
}

/** Two sorted lists as one. */
function mergeSorted<T>(a: readonly T[], b: readonly T[], compare: (a: T, b: T) => number): T[] {
  const all: T[] = [];
  let right = 0;
  for (const one of a) {
    for (let other = b[right]; other !== undefined && compare(other, one) < 0; other = b[++right]) all.push(other);
    all.push(one);
  }
  for (; right < b.length; right++) all.push(b[right] as T);
  return all;
}
