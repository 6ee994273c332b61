/** What the extension and the Exits page say to each other. */
import type { ExitRow, ExitSample } from './exit-counts.ts';
import type { FromLog, LogMessage } from './log-messages.ts';
import type { FromStops } from './stop-messages.ts';

export interface ExitsState {
  readonly kind: 'state';
  readonly reasons: readonly ExitRow[];
  readonly places: readonly ExitRow[];
  readonly code: readonly ExitRow[];
  readonly timeline: readonly ExitSample[];
  readonly summary: string;
  /** Said where there is nothing to show. */
  readonly note: string;
  /** Exits are being written down. */
  readonly tracing: boolean;
  /** What else the guest stops on. */
  readonly stops: readonly string[];
  readonly ended: boolean;
}

export type ToExitsPage = LogMessage | ExitsState;

export type FromExitsPage = FromLog | FromStops | { readonly kind: 'trace'; readonly on: boolean };
