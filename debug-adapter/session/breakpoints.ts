/** Setting breakpoints: by source line, function and instruction, with conditions, hit counts and log messages. */
import type { Area } from './area.ts';
import { address, integer, objects, optionalInteger, text } from './arguments.ts';
import { describeBreakpoint } from './breakpoint-description.ts';
import { type BreakpointRequest, parseHitCondition, type Terms } from './breakpoint-request.ts';
import { badArgument } from './errors.ts';
import type { Session } from './session.ts';

export const MOST_BREAKPOINTS = 10_000;
const LAST_LINE = 10_000_000;
const FARTHEST = Number.MAX_SAFE_INTEGER;
const LONGEST_TERM = 8192;

/** Replaces one list, interrupting a running guest only if something changes. */
export async function replaceBreakpoints(session: Session, list: string, requests: readonly BreakpointRequest[]) {
  const { breakpoints } = session;
  const guest = session.launched ? session.guest : undefined;
  const change = () => breakpoints.replace(list, requests);
  const needsStop = guest && breakpoints.wouldChange(list, requests);
  const set = needsStop ? await guest.runner.whileStopped(change) : guest ? breakpoints.list(list) : await change();
  return { breakpoints: set.map((breakpoint) => describeBreakpoint(breakpoint, guest)) };
}

/** What any kind of breakpoint may carry; empty texts are what clients send for nothing. */
export function termsOf(given: {
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
  readonly mode?: string;
}): Terms {
  const term = (name: 'condition' | 'hitCondition' | 'logMessage' | 'mode') => {
    const value = given[name];
    return value === undefined || value === null ? '' : text(name, value, LONGEST_TERM);
  };
  const [condition, hits, logMessage, mode] = [
    term('condition'),
    term('hitCondition'),
    term('logMessage'),
    term('mode'),
  ];
  if (mode !== '' && mode !== 'software' && mode !== 'hardware') {
    throw badArgument('mode', 'must be software or hardware');
  }
  return {
    ...(condition.trim() !== '' && { condition }),
    ...(hits.trim() !== '' && { hits: parseHitCondition(hits) }),
    ...(logMessage !== '' && { logMessage }),
    ...(mode !== '' && { mode }),
  };
}

export const breakpoints: Area = {
  capabilities: {
    supportsFunctionBreakpoints: true,
    supportsInstructionBreakpoints: true,
    supportsBreakpointLocationsRequest: true,
    supportsConditionalBreakpoints: true,
    supportsHitConditionalBreakpoints: true,
    supportsLogPoints: true,
    breakpointModes: [
      {
        mode: 'software',
        label: 'Software',
        description: 'A trap in guest memory, which the guest does not see. Any number.',
        appliesTo: ['source', 'instruction'],
      },
      {
        mode: 'hardware',
        label: 'Hardware',
        description: 'A debug register: up to four, also where memory is not mapped yet or is overwritten.',
        appliesTo: ['source', 'instruction'],
      },
    ],
  },
  handlers: {
    setBreakpoints: async (session, args) => {
      if (session.launched) await session.guest.symbols?.indexed;
      const path = text('source.path', args.source?.path, 4096);
      const wanted = objects('breakpoints', args.breakpoints, MOST_BREAKPOINTS);
      const requests = wanted.map((breakpoint) => ({
        kind: 'source' as const,
        path,
        line: integer('breakpoints.line', breakpoint.line, 0, LAST_LINE),
        ...termsOf(breakpoint),
      }));
      return replaceBreakpoints(session, `source:${path}`, requests);
    },

    setFunctionBreakpoints: (session, args) => {
      const wanted = objects('breakpoints', args.breakpoints, MOST_BREAKPOINTS);
      const requests = wanted.map((breakpoint) => ({
        kind: 'function' as const,
        name: text('name', breakpoint.name, 4096),
        ...termsOf(breakpoint),
      }));
      return replaceBreakpoints(session, 'functions', requests);
    },

    setInstructionBreakpoints: (session, args) => {
      const wanted = objects('breakpoints', args.breakpoints, MOST_BREAKPOINTS);
      const requests = wanted.map(({ instructionReference, offset, ...terms }) => ({
        kind: 'instruction' as const,
        address: BigInt.asUintN(
          64,
          address('instructionReference', instructionReference) +
            BigInt(optionalInteger('offset', offset, -FARTHEST, FARTHEST, 0)),
        ),
        ...termsOf(terms),
      }));
      return replaceBreakpoints(session, 'instructions', requests);
    },

    breakpointLocations: async (session, args) => {
      const { symbols, sources } = session.guest;
      await symbols?.indexed;
      const path = text('source.path', args.source?.path, 4096);
      const first = integer('line', args.line, 0, LAST_LINE);
      const last = integer('endLine', args.endLine ?? first, first, LAST_LINE);
      const files = symbols ? sources.recordedFor(path) : [];
      const lines = await Promise.all(files.map((file) => symbols?.linesWithCode(file, first, last) ?? []));
      const found = new Set(lines.flat());
      return { breakpoints: [...found].sort((a, b) => a - b).map((line) => ({ line })) };
    },
  },
};
