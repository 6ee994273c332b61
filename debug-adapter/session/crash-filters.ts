/** Exception filters for what a Linux guest says of itself: breakpoints in its own functions, at which it tells why. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { CRASH_KINDS, type CrashKind } from '../linux/crash.ts';
import { describeBreakpoint } from './breakpoint-description.ts';
import type { BreakpointRequest } from './breakpoint-request.ts';
import type { BreakpointTable } from './breakpoint-table.ts';
import type { Guest } from './guest.ts';

const LIST = 'crashes';

export const CRASH_FILTERS: readonly DebugProtocol.ExceptionBreakpointsFilter[] = CRASH_KINDS.map(
  ({ filter, label, description, default: byDefault }) => ({
    filter,
    label,
    description,
    ...(byDefault && { default: true }),
    supportsCondition: true,
    conditionDescription: 'A C expression, evaluated where the kernel says it: $pid == 1',
  }),
);

export const isCrashFilter = (filter: string): boolean => CRASH_KINDS.some((kind) => kind.filter === filter);

/** Plants what is wanted and nothing else. @param wanted the condition of each filter. The guest must stand still. */
export async function replaceCrashes(
  table: BreakpointTable,
  wanted: ReadonlyMap<string, string>,
  guest: Guest | undefined,
): Promise<ReadonlyMap<string, DebugProtocol.Breakpoint>> {
  const kinds = CRASH_KINDS.filter(({ filter }) => wanted.has(filter));
  const set = await table.replace(
    LIST,
    kinds.map((kind) => requestFor(kind, wanted.get(kind.filter) ?? '')),
  );
  return new Map(kinds.map(({ filter }, n) => [filter, verdict(set[n], guest)]));
}

function verdict(breakpoint: Parameters<typeof describeBreakpoint>[0] | undefined, guest: Guest | undefined) {
  return breakpoint ? describeBreakpoint(breakpoint, guest) : { verified: false };
}

function requestFor({ filter, condition }: CrashKind, asked: string): BreakpointRequest {
  const terms = [condition, asked.trim() || undefined].flatMap((term) => (term === undefined ? [] : [`(${term})`]));
  return { kind: 'crash', filter, ...(terms.length > 0 && { condition: terms.join(' && ') }) };
}
