/** How often vCPUs leave the guest, for what, and how fast: from looks at the core's counters now and then. */
import type { ExitCount, ExitReason, ExitsPart } from '../../debug-adapter/protocol/custom.ts';
import { Rate } from './rate.ts';

/** Looks kept for the timeline. */
const TIMELINE = 120;

/** What the timeline tells apart. */
export const EXIT_GROUPS = ['port', 'memory', 'MSR', 'hypercall', 'signal', 'other'] as const;
export type ExitGroup = (typeof EXIT_GROUPS)[number];

const groups: Readonly<Partial<Record<ExitReason, ExitGroup>>> = {
  'port-in': 'port',
  'port-out': 'port',
  'mmio-read': 'memory',
  'mmio-write': 'memory',
  'msr-read': 'MSR',
  'msr-write': 'MSR',
  hypercall: 'hypercall',
  kick: 'signal',
};

export interface ExitRow extends ExitCount {
  /** Exits a second, lately, of the time that the guest ran. */
  readonly rate: number;
  /** Part of all vCPUs' time that went into them, 0 to 1. */
  readonly share: number;
}

/** Exits a second between two looks. */
export interface ExitSample {
  /** Seconds that the guest had run at the second look, each vCPU on average. */
  readonly at: number;
  readonly rates: Readonly<Record<ExitGroup, number>>;
}

export class ExitCounts {
  #rows: readonly ExitRow[] = [];
  #ran = 0;
  #total = 0;
  readonly #rates = new Map<string, Rate>();
  readonly #timeline: ExitSample[] = [];
  #before: { readonly seconds: number; readonly counts: Record<ExitGroup, number> } | undefined;

  add({ counts, ran, vcpus }: ExitsPart): void {
    const seconds = ran / 1e6 / Math.max(1, vcpus);
    const moved = ran !== this.#ran;
    this.#ran = ran;
    this.#rows = counts.map((count) => {
      const key = exitKey(count);
      const rate = this.#rates.get(key) ?? Rate.fromZero();
      // A guest that stands makes no exits, and no time goes by.
      if (moved) rate.at(seconds * 1000, count.count);
      this.#rates.set(key, rate);
      return { ...count, rate: rate.perSecond, share: ran === 0 ? 0 : count.time / ran };
    });
    const reasons = this.of('reason');
    this.#total = reasons.reduce((sum, { count }) => sum + count, 0);
    if (moved) this.#sample(seconds, reasons);
  }

  of(kind: ExitCount['kind']): readonly ExitRow[] {
    return this.#rows.filter((row) => row.kind === kind);
  }

  get total(): number {
    return this.#total;
  }

  /** Exits a second, lately. */
  get rate(): number {
    return this.of('reason').reduce((sum, { rate }) => sum + rate, 0);
  }

  /** Oldest first. */
  get timeline(): readonly ExitSample[] {
    return [...this.#timeline];
  }

  #sample(seconds: number, reasons: readonly ExitRow[]): void {
    const counts = perGroup((group) =>
      reasons.reduce((sum, { reason, count }) => (groupOf(reason) === group ? sum + count : sum), 0),
    );
    const before = this.#before;
    this.#before = { seconds, counts };
    if (!before || seconds <= before.seconds) return;
    const rates = perGroup((group) => Math.max(0, counts[group] - before.counts[group]) / (seconds - before.seconds));
    this.#timeline.push({ at: seconds, rates });
    if (this.#timeline.length > TIMELINE) this.#timeline.shift();
  }
}

/** Names a row: the same thing has the same name in later counts. */
export const exitKey = ({ kind, reason, address }: ExitCount) => `${kind} ${reason} ${address}`;

const groupOf = (reason: ExitReason | undefined): ExitGroup => (reason && groups[reason]) ?? 'other';

const perGroup = (value: (group: ExitGroup) => number) =>
  Object.fromEntries(EXIT_GROUPS.map((group) => [group, value(group)])) as Record<ExitGroup, number>;
