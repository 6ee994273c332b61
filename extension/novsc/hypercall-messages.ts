/** What the extension and the Hypercalls page say to each other. */
import type { CallCount } from './hypercall-log.ts';
import type { FromLog, LogMessage } from './log-messages.ts';

export type ToHypercallsPage =
  | LogMessage
  | { readonly kind: 'counts'; readonly counts: readonly CallCount[] }
  /** `ended` greys the page. */
  | { readonly kind: 'state'; readonly ended: boolean };

export type FromHypercallsPage = FromLog;
