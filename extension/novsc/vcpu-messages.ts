/** What the extension and the vCPUs page say to each other. */
import type { VcpuRow } from './vcpu-loads.ts';

export interface ToVcpusPage {
  readonly kind: 'state';
  readonly rows: readonly VcpuRow[];
  readonly phase: 'running' | 'stopped' | 'ended';
  readonly note: string;
}

export type FromVcpusPage =
  /** Lets one vCPU go alone, all others staying where they are. */
  | { readonly kind: 'alone'; readonly thread: number; readonly how: 'continue' | 'step' }
  | { readonly kind: 'pause'; readonly thread: number };
