/** Setting breakpoints: by source line, function and instruction. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Area } from './area.ts';
import { address, integer, objects, text } from './arguments.ts';
import { describeBreakpoint } from './breakpoint-description.ts';
import type { BreakpointRequest } from './breakpoint-table.ts';
import type { Session } from './session.ts';

const MOST_BREAKPOINTS = 10_000;
const LAST_LINE = 10_000_000;

/** Replaces one list, interrupting a running guest only if something changes. */
async function replace(session: Session, list: string, requests: readonly BreakpointRequest[]) {
  const { breakpoints } = session;
  const guest = session.launched ? session.guest : undefined;
  const change = () => breakpoints.replace(list, requests);
  const needsStop = guest && breakpoints.wouldChange(list, requests);
  const set = needsStop ? await guest.runner.whileStopped(change) : guest ? breakpoints.list(list) : await change();
  return { breakpoints: set.map((breakpoint) => describeBreakpoint(breakpoint, guest)) };
}

function lines(args: DebugProtocol.SetBreakpointsArguments): readonly number[] {
  const wanted = objects('breakpoints', args.breakpoints, MOST_BREAKPOINTS);
  return wanted.map(({ line }) => integer('breakpoints.line', line, 0, LAST_LINE));
}

export const breakpoints: Area = {
  capabilities: {
    supportsFunctionBreakpoints: true,
    supportsInstructionBreakpoints: true,
    supportsBreakpointLocationsRequest: true,
  },
  handlers: {
    setBreakpoints: async (session, args) => {
      if (session.launched) await session.guest.symbols?.indexed;
      const path = text('source.path', args.source?.path, 4096);
      const requests = lines(args).map((line) => ({ kind: 'source' as const, path, line }));
      return replace(session, `source:${path}`, requests);
    },

    setFunctionBreakpoints: (session, args) => {
      const wanted = objects('breakpoints', args.breakpoints, MOST_BREAKPOINTS);
      const requests = wanted.map(({ name }) => ({ kind: 'function' as const, name: text('name', name, 4096) }));
      return replace(session, 'functions', requests);
    },

    setInstructionBreakpoints: (session, args) => {
      const wanted = objects('breakpoints', args.breakpoints, MOST_BREAKPOINTS);
      const requests = wanted.map(({ instructionReference, offset }) => ({
        kind: 'instruction' as const,
        address: BigInt.asUintN(64, address('instructionReference', instructionReference) + BigInt(offset ?? 0)),
      }));
      return replace(session, 'instructions', requests);
    },

    // VS Code sends this to every adapter; there are no exception filters to set.
    setExceptionBreakpoints: () => ({ breakpoints: [] }),

    breakpointLocations: async (session, args) => {
      const { symbols, sources } = session.guest;
      await symbols?.indexed;
      const path = text('source.path', args.source?.path, 4096);
      const first = integer('line', args.line, 0, LAST_LINE);
      const last = integer('endLine', args.endLine ?? first, first, LAST_LINE);
      const files = symbols ? sources.recordedFor(path) : [];
      const found = new Set(files.flatMap((file) => symbols?.linesWithCode(file, first, last) ?? []));
      return { breakpoints: [...found].sort((a, b) => a - b).map((line) => ({ line })) };
    },
  },
};
