/** What the extension and the Hypercalls page say to each other. */
import type { CallCount } from './hypercall-log.ts';
import type { FromLog, LogMessage } from './log-messages.ts';
import type { FromStops } from './stop-messages.ts';

export type ToHypercallsPage =
  | LogMessage
  | { readonly kind: 'counts'; readonly counts: readonly CallCount[] }
  /** `ended` greys the page; `stops` is what the guest stops on. */
  | { readonly kind: 'state'; readonly ended: boolean; readonly stops: readonly string[] };

export type FromHypercallsPage = FromLog | FromStops;
