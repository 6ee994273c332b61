/** Scans of page tables at the last stops, to compare a new one with. */
import type { PageRun } from '../../../hypervisor-core/paging/scan.ts';

/** Scans kept; one has some megabytes at the most. */
const MOST_SCANS = 6;

export interface KeptScan {
  /** Counts from 1. */
  readonly scan: number;
  readonly cr3: bigint;
  /** Where the guest stood. */
  readonly title: string;
  readonly runs: readonly PageRun[];
}

export class PageScans {
  private kept: (KeptScan & { readonly stop: object })[] = [];
  private count = 0;

  clear(): void {
    this.kept = [];
  }

  /** Keeps a scan made at `stop`; a second one of the same root and stop takes the first one's place. */
  add(stop: object, scan: Omit<KeptScan, 'scan'>): KeptScan {
    const kept = { ...scan, scan: ++this.count, stop };
    this.kept = [...this.kept.filter((one) => one.stop !== stop || one.cr3 !== scan.cr3), kept].slice(-MOST_SCANS);
    return kept;
  }

  /** Scans of other stops, the oldest first. */
  before(stop: object): readonly KeptScan[] {
    return this.kept.filter((one) => one.stop !== stop);
  }
}
