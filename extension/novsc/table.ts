/** What a table of a webview shows of its rows: search, filters, order; and the same rows as CSV or JSON. */

export interface Column<Row> {
  /** Names the column in exports and in the style sheet. */
  readonly key: string;
  readonly title: string;
  text(row: Row): string;
  /** What the column is sorted by, when not by its text. */
  order?(row: Row): bigint | number | string;
  /** A track of a CSS grid, such as `6em` or `minmax(5em, 2fr)`. */
  readonly width: string;
  /** Where there is no room for all columns, those of the highest rank are left out first; without a rank, never. */
  readonly rank?: number;
  /** Numbers stand at the right. */
  readonly numeric?: boolean;
}

/** A switch above the table; when several are on, a row must pass all of them. */
export interface RowFilter<Row> {
  readonly key: string;
  readonly title: string;
  readonly hint: string;
  test(row: Row): boolean;
}

export interface SortOrder {
  readonly key: string;
  readonly descending: boolean;
}

export interface Selection<Row> {
  /** As {@link rowSearch} takes it. */
  readonly search: string;
  readonly filters: readonly RowFilter<Row>[];
  readonly sort?: SortOrder | undefined;
}

/** Looks for words in rows. What it looks through is worth keeping where many rows are looked through often. */
export interface RowSearch<Row> {
  /** True when there are no words, so that every row passes. */
  readonly open: boolean;
  textOf(row: Row): string;
  finds(text: string): boolean;
}

/** Words that must all be in a row; a word that begins with `-` must not be. */
export function rowSearch<Row>(columns: readonly Column<Row>[], search: string): RowSearch<Row> {
  const all = search.toLowerCase().split(/\s+/).filter(Boolean);
  const unwanted = all.filter((word) => /^-./.test(word)).map((word) => word.slice(1));
  const words = all.filter((word) => !word.startsWith('-'));
  return {
    open: words.length + unwanted.length === 0,
    textOf: (row) =>
      columns
        .map((column) => column.text(row))
        .join(' ')
        .toLowerCase(),
    finds: (text) => words.every((word) => text.includes(word)) && !unwanted.some((word) => text.includes(word)),
  };
}

/** The rows that are to be shown, in order. Rows that compare equal keep the order they came in. */
export function selectRows<Row extends object>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { search, filters, sort }: Selection<Row>,
): readonly Row[] {
  const words = rowSearch(columns, search);
  const matches = (row: Row) =>
    filters.every((filter) => filter.test(row)) && (words.open || words.finds(words.textOf(row)));
  const shown = words.open && filters.length === 0 ? rows : rows.filter(matches);
  const column = columns.find(({ key }) => key === sort?.key);
  return sort && column ? [...shown].sort(compareOrder(column, sort.descending)) : shown;
}

/** Compares rows by a column; what a row is compared by is made once. */
export function compareOrder<Row extends object>(column: Column<Row>, descending: boolean): (a: Row, b: Row) => number {
  const known = new WeakMap<Row, bigint | number | string>();
  const key = (row: Row) => {
    const made = known.get(row) ?? (column.order ?? column.text)(row);
    known.set(row, made);
    return made;
  };
  const direction = descending ? -1 : 1;
  return (a, b) => direction * compare(key(a), key(b));
}

function compare(a: bigint | number | string, b: bigint | number | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a click on a column's head makes of the order: up, down, as they came. */
export function nextSort(sort: SortOrder | undefined, key: string): SortOrder | undefined {
  if (sort?.key !== key) return { key, descending: false };
  return sort.descending ? undefined : { key, descending: true };
}

export type ExportFormat = 'csv' | 'json';

/** Rows as CSV with a head (RFC 4180), or as a JSON list of objects. Values are the texts of the columns. */
export function exportRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], format: ExportFormat): string {
  if (format === 'json') {
    const objects = rows.map((row) => Object.fromEntries(columns.map(({ key, text }) => [key, text(row)])));
    return `${JSON.stringify(objects, undefined, 2)}\n`;
  }
  const lines = [columns.map(({ key }) => key), ...rows.map((row) => columns.map(({ text }) => text(row)))];
  return lines.map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('');
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
