/** A scan on its way through JSON: lists of numbers, a third of the size of lists of objects. */
import type { PackedPageScan } from '../protocol/inspect.ts';
import type { PageScan } from './scan.ts';

export function packScan({ runs, tables, truncated }: PageScan): PackedPageScan {
  return {
    runs: runs.flatMap(({ page, frame, pages, flags, level }) => [page, frame, pages, flags, level]),
    tables: tables.flatMap(({ frame, level }) => [frame, level]),
    truncated,
  };
}

export function unpackScan({ runs, tables, truncated }: PackedPageScan): PageScan {
  return {
    runs: groups(runs, 5, ([page = 0, frame = 0, pages = 0, flags = 0, level = 0]) => ({
      page,
      frame,
      pages,
      flags,
      level,
    })),
    tables: groups(tables, 2, ([frame = 0, level = 0]) => ({ frame, level })),
    truncated,
  };
}

function groups<Item>(values: readonly number[], size: number, make: (group: readonly number[]) => Item): Item[] {
  const count = Math.floor(values.length / size);
  return Array.from({ length: count }, (_, index) => make(values.slice(index * size, (index + 1) * size)));
}
