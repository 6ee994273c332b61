/** What became of an address space between two scans of it. */
import { TRACE_FLAGS } from './page-flags.ts';
import { isMapped, type PageRun } from './scan.ts';

/** What two runs of pages differ in; the first that holds of the list names the change. */
export type ChangeKind = 'mapped' | 'unmapped' | 'moved' | 'rights' | 'page size' | 'used';

export interface PageState {
  readonly frame: number;
  readonly flags: number;
  readonly level: number;
}

export interface PageChange {
  readonly kind: ChangeKind;
  readonly page: number;
  readonly pages: number;
  readonly before: PageState | undefined;
  readonly after: PageState | undefined;
}

/** Changes by address. Both lists of runs are ordered, as scans give them. Entries that map nothing count as nothing. */
export function diffScans(before: readonly PageRun[], after: readonly PageRun[]): PageChange[] {
  const [old, now] = [before, after].map((runs) => runs.filter(({ flags }) => isMapped(flags))) as [
    PageRun[],
    PageRun[],
  ];
  const changes: PageChange[] = [];
  let [i, j] = [0, 0];
  let at = 0;
  while (i < old.length || j < now.length) {
    const [a, b] = [old[i], now[j]];
    at = Math.max(at, Math.min(a?.page ?? Number.POSITIVE_INFINITY, b?.page ?? Number.POSITIVE_INFINITY));
    // Up to where both lists go on as they are: the end of a run that is under way, the start of one that is not.
    const ends = [a, b].filter((run) => run !== undefined).map((run) => run.page + (run.page <= at ? run.pages : 0));
    const end = Math.min(...ends);
    add(changes, at, end - at, stateAt(a, at), stateAt(b, at));
    at = end;
    if (a && a.page + a.pages <= at) i++;
    if (b && b.page + b.pages <= at) j++;
  }
  return changes;
}

function stateAt(run: PageRun | undefined, at: number): PageState | undefined {
  return run && run.page <= at ? { frame: run.frame + at - run.page, flags: run.flags, level: run.level } : undefined;
}

function add(
  changes: PageChange[],
  page: number,
  pages: number,
  before: PageState | undefined,
  after: PageState | undefined,
): void {
  const kind = kindOf(before, after);
  if (!kind) return;
  const last = changes.at(-1);
  const joins =
    last?.kind === kind &&
    last.page + last.pages === page &&
    follows(last.before, before, last.pages) &&
    follows(last.after, after, last.pages);
  if (joins) changes[changes.length - 1] = { ...last, pages: last.pages + pages };
  else changes.push({ kind, page, pages, before, after });
}

function kindOf(before: PageState | undefined, after: PageState | undefined): ChangeKind | undefined {
  if (!before) return after && 'mapped';
  if (!after) return 'unmapped';
  if (before.frame !== after.frame) return 'moved';
  const different = before.flags ^ after.flags;
  if (different & ~TRACE_FLAGS) return 'rights';
  if (before.level !== after.level) return 'page size';
  return different ? 'used' : undefined;
}

/** True when `next` goes on where `state` is after `pages`. */
function follows(state: PageState | undefined, next: PageState | undefined, pages: number): boolean {
  if (!state || !next) return state === next;
  return state.flags === next.flags && state.level === next.level && state.frame + pages === next.frame;
}
