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
  /** Words that must all be somewhere in the row, in any case. */
  readonly search: string;
  readonly filters: readonly RowFilter<Row>[];
  readonly sort?: SortOrder | undefined;
}

/** The rows that are to be shown, in order. Rows that compare equal keep the order they came in. */
export function selectRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { search, filters, sort }: Selection<Row>,
): readonly Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (row: Row) => {
    if (!filters.every((filter) => filter.test(row))) return false;
    if (words.length === 0) return true;
    const text = columns
      .map((column) => column.text(row))
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const shown = words.length + filters.length === 0 ? rows : rows.filter(matches);
  const column = columns.find(({ key }) => key === sort?.key);
  if (!sort || !column) return shown;
  const keys = new Map(shown.map((row) => [row, (column.order ?? column.text)(row)]));
  const direction = sort.descending ? -1 : 1;
  return [...shown].sort((a, b) => direction * compare(keys.get(a) ?? '', keys.get(b) ?? ''));
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
