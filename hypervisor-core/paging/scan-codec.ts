/** A scan on its way through JSON: lists of numbers, a third of the size of lists of objects. */
import type { PackedPageScan } from '../protocol/inspect.ts';
import type { PageScan } from './scan.ts';

const RUN = 5;
const TABLE = 2;

export function packScan({ runs, tables, truncated }: PageScan): PackedPageScan {
  const packedRuns: number[] = [];
  for (const { page, frame, pages, flags, level } of runs) packedRuns.push(page, frame, pages, flags, level);
  const packedTables: number[] = [];
  for (const { frame, level } of tables) packedTables.push(frame, level);
  return { runs: packedRuns, tables: packedTables, truncated };
}

export function unpackScan({ runs, tables, truncated }: PackedPageScan): PageScan {
  const at = (values: readonly number[], place: number) => values[place] ?? 0;
  return {
    runs: Array.from({ length: Math.floor(runs.length / RUN) }, (_, index) => {
      const first = index * RUN;
      return {
        page: at(runs, first),
        frame: at(runs, first + 1),
        pages: at(runs, first + 2),
        flags: at(runs, first + 3),
        level: at(runs, first + 4),
      };
    }),
    tables: Array.from({ length: Math.floor(tables.length / TABLE) }, (_, index) => ({
      frame: at(tables, index * TABLE),
      level: at(tables, index * TABLE + 1),
    })),
    truncated,
  };
}
