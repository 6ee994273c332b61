/** Whether an access to a mapped page faults, and by which rule. Intel SDM vol. 3A 4.6.1. */
import { CR0_WP, CR4_SMAP, CR4_SMEP, type PagingState } from './paging-mode.ts';
import type { MappedPage } from './walk.ts';

export interface Access {
  readonly kind: 'read' | 'write' | 'fetch';
  /** CPL 3. */
  readonly user: boolean;
  /** RFLAGS.AC, which suspends SMAP for explicit supervisor accesses. */
  readonly alignmentCheck?: boolean;
}

/** The reason why the access faults, as a sentence; undefined when it does not. */
export function accessFault(state: PagingState, page: MappedPage, access: Access): string | undefined {
  const has = (flag: string) => page.flags.includes(flag);
  const userPage = has('U');
  if (access.kind === 'fetch' && has('NX')) return 'No execute (NX) is set on the way to the page.';
  if (access.user) {
    if (!userPage) return 'A supervisor page (U/S = 0) is not for CPL 3.';
    if (access.kind === 'write' && !has('W')) return 'The page is read-only (R/W = 0).';
    return undefined;
  }
  if (access.kind === 'fetch') {
    return userPage && state.cr4 & CR4_SMEP ? 'SMEP: supervisor code must not run from a user page.' : undefined;
  }
  if (userPage && state.cr4 & CR4_SMAP && !access.alignmentCheck) {
    return 'SMAP: supervisor code must not touch a user page while RFLAGS.AC is 0.';
  }
  if (access.kind === 'write' && !has('W') && state.cr0 & CR0_WP) {
    return 'The page is read-only (R/W = 0) and CR0.WP holds the supervisor to it.';
  }
  return undefined;
}
