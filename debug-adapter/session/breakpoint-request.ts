/** What a client asks for when it sets a breakpoint. */
import type { Comparison, HitCondition } from '../expressions/api.ts';
import { badArgument } from './errors.ts';

/** How a breakpoint is to be planted: a trap in memory, or a debug register. */
export type BreakpointMode = 'software' | 'hardware';

/** What must be so for a hit to stop the guest, and what else happens at one. */
export interface Terms {
  /** A C expression. */
  readonly condition?: string;
  readonly hits?: HitCondition;
  /** Printed instead of stopping; `{expression}` in it is evaluated. */
  readonly logMessage?: string;
  /** Absent where the target may choose. */
  readonly mode?: BreakpointMode;
}

export type DataAccess = 'read' | 'write' | 'access';

export type BreakpointRequest = Terms &
  (
    | { readonly kind: 'source'; readonly path: string; readonly line: number }
    | { readonly kind: 'function'; readonly name: string }
    | { readonly kind: 'instruction'; readonly address: bigint }
    /** Where a Linux kernel says of itself that something went wrong: `CRASH_KINDS`. */
    | { readonly kind: 'crash'; readonly filter: string }
    /** The session's own: where a Linux kernel loads and unloads modules. */
    | { readonly kind: 'modules' }
    /** The session's own: where a Linux kernel has made new code executable, and no more writable. */
    | { readonly kind: 'code' }
    | { readonly kind: 'data'; readonly address: bigint; readonly length: number; readonly access: DataAccess }
  );

/** Requests are plain data: equal ones are the same breakpoint, which keeps its hits and its number. */
export function sameRequest(a: BreakpointRequest | undefined, b: BreakpointRequest): boolean {
  return a !== undefined && key(a) === key(b);
}

const key = (request: BreakpointRequest) =>
  JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));

/** `5` and `== 5` stop at the fifth hit, `> 5` and so on after it, `% 5` at every fifth. */
export function parseHitCondition(text: string): HitCondition {
  const [, comparison = '==', digits = ''] = /^\s*(===?|=|>=?|<=?|%)?\s*(\d{1,9})\s*$/.exec(text) ?? [];
  const count = Number(digits);
  if (digits === '' || (comparison === '%' && count === 0)) {
    throw badArgument('hitCondition', 'must be a number, also with ==, >, >=, <, <= or % before it');
  }
  return { comparison: comparison.startsWith('=') ? '==' : (comparison as Comparison), count };
}

export function isHit(hits: number, { comparison, count }: HitCondition): boolean {
  switch (comparison) {
    case '==':
      return hits === count;
    case '>':
      return hits > count;
    case '>=':
      return hits >= count;
    case '<':
      return hits < count;
    case '<=':
      return hits <= count;
    case '%':
      return hits % count === 0;
  }
}
