/**
 * What a log in a webview and its model in the extension host say to each other. The page holds only the rows in sight;
 * searching, sorting and exporting go on in the extension host, so a flow of records never slows the window.
 */
import type { ExportFormat, SortOrder } from './table.ts';

export interface LogRow {
  /** Its place in the log: names it for as long as it is there. */
  readonly id: number;
  readonly cells: readonly string[];
}

export interface LogDetails {
  readonly id: number;
  /** Its place among the rows. */
  readonly row: number;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** What can be done with it. The first is done by Enter or a double click, too. */
  readonly actions: readonly { readonly name: string; readonly title: string }[];
}

export interface LogMessage {
  readonly kind: 'log';
  /** Names the log on its page. */
  readonly log: string;
  /** Rows there are, and those that are sent. */
  readonly count: number;
  readonly first: number;
  readonly rows: readonly LogRow[];
  /** How many there are, and how many were lost. */
  readonly summary: string;
  /** Shown where there are no rows. */
  readonly note: string;
  readonly sort?: SortOrder;
  /** Whether repeats are one row; absent where they never are. */
  readonly merging?: boolean;
  readonly details?: LogDetails;
}

export type FromLog = {
  readonly log: string;
} /** These rows are in sight. `follow`: the end is, and is to stay so. */ & (
  | { readonly kind: 'window'; readonly first: number; readonly count: number; readonly follow: boolean }
  | { readonly kind: 'search'; readonly text: string }
  | { readonly kind: 'sort'; readonly key: string }
  | { readonly kind: 'merge'; readonly on: boolean }
  /** The row that is chosen, by its place; -1 for none. */
  | { readonly kind: 'choose'; readonly row: number }
  | { readonly kind: 'act'; readonly action: string }
  | { readonly kind: 'save'; readonly format: ExportFormat }
);
