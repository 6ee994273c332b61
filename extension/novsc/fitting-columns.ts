/** Which columns of a table there is room for: a side bar is narrow, and half a column says less than none. */
import type { Column } from './table.ts';

/** Pixels between two columns, and at either side of a row. */
export const COLUMN_GAP = 10;
export const ROW_PADDING = 8;

/** Pixels that the table has inside, and what one em of its rows comes to. */
export interface TableRoom {
  readonly width: number;
  readonly em: number;
}

type Sized = Pick<Column<never>, 'width' | 'rank'>;

/** The places of the columns to be shown. Those without a rank always are. */
export function fittingColumns(columns: readonly Sized[], { width, em }: TableRoom): readonly number[] {
  const byRank = columns.map((_, place) => place).sort((a, b) => rankOf(columns[b]) - rankOf(columns[a]) || b - a);
  const left = new Set<number>();
  const shown = () => columns.filter((_, place) => !left.has(place));
  for (const place of byRank) {
    if (leastWidth(shown(), em) <= width || rankOf(columns[place]) === 0) break;
    left.add(place);
  }
  return [...columns.keys()].filter((place) => !left.has(place));
}

const rankOf = (column: Sized | undefined) => column?.rank ?? 0;

/** Pixels below which cells would be narrower than they are to be. */
function leastWidth(columns: readonly Sized[], em: number): number {
  const cells = columns.map(({ width }) => Number.parseFloat(/[\d.]+(?=em)/.exec(width)?.[0] ?? '0') * em);
  return cells.reduce((sum, width) => sum + width + COLUMN_GAP, 2 * ROW_PADDING - COLUMN_GAP);
}
