/** Where in the address space pages have been accessed and written: a picture of cells of one size, empty ones left out. */
import { PageFlag } from './page-flags.ts';
import { isMapped, type PageRun } from './scan.ts';

/** Pages of 4 KiB in one cell of the map. */
export interface HeatCell {
  /** First linear page that the cell covers. */
  readonly page: number;
  readonly mapped: number;
  readonly accessed: number;
  readonly dirty: number;
}

export interface HeatMap {
  /** Pages of 4 KiB that a cell covers, a power of two. */
  readonly cellPages: number;
  readonly cells: readonly HeatCell[];
}

/** 2 MiB: what one table of 4 KiB pages covers. */
const SMALLEST_CELL = 512;

/** Cells as small as `most` of them allow. */
export function heatMap(runs: readonly PageRun[], most: number): HeatMap {
  const mapped = runs.filter(({ flags }) => isMapped(flags));
  let cellPages = SMALLEST_CELL;
  while (countCells(mapped, cellPages) > most) cellPages *= 2;
  const cells: { page: number; mapped: number; accessed: number; dirty: number }[] = [];
  for (const { page, pages, flags } of mapped) {
    for (let at = page; at < page + pages; ) {
      const start = at - (at % cellPages);
      const end = Math.min(page + pages, start + cellPages);
      let cell = cells.at(-1);
      if (cell?.page !== start) {
        cell = { page: start, mapped: 0, accessed: 0, dirty: 0 };
        cells.push(cell);
      }
      cell.mapped += end - at;
      if (flags & PageFlag.accessed) cell.accessed += end - at;
      if (flags & PageFlag.dirty) cell.dirty += end - at;
      at = end;
    }
  }
  return { cellPages, cells };
}

function countCells(runs: readonly PageRun[], cellPages: number): number {
  let count = 0;
  let last = -1;
  for (const { page, pages } of runs) {
    const [first, end] = [Math.floor(page / cellPages), Math.floor((page + pages - 1) / cellPages)];
    count += end - first + (first === last ? 0 : 1);
    last = end;
  }
  return count;
}
