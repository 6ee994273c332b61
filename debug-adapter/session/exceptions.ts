/** What stopped the guest when it was neither a breakpoint nor the user. */

import type { DebugProtocol } from '@vscode/debugprotocol';
import { vectorName } from '../../hypervisor-core/interrupts/vectors.ts';
import type { Area } from './area.ts';
import { CRASH_FILTERS, isCrashFilter, replaceCrashes } from './crash-filters.ts';
import { crashInfo, crashReport } from './crash-report.ts';
import { EXCEPTION_FILTERS, type WantedFilters } from './exception-filters.ts';
import type { Guest } from './guest.ts';
import { pageFaultText } from './page-fault-text.ts';
import type { Session } from './session.ts';
import { crashOf } from './stops.ts';

const PAGE_FAULT = 14;

export const exceptions: Area = {
  capabilities: {
    supportsExceptionInfoRequest: true,
    supportsExceptionFilterOptions: true,
    exceptionBreakpointFilters: [...EXCEPTION_FILTERS, ...CRASH_FILTERS],
  },
  handlers: {
    setExceptionBreakpoints: async (session, args) => {
      const wanted = session.exceptions.read(args);
      if (!session.launched) return { breakpoints: await replaceFilters(session, wanted, undefined) };
      const { guest } = session;
      return { breakpoints: await guest.runner.whileStopped(() => replaceFilters(session, wanted, guest)) };
    },

    exceptionInfo: async (session, args) => {
      const { state, thread } = await session.stoppedThread(args.threadId);
      const { reason } = state.stop;
      const crash = crashOf(session.breakpoints.hitBy(state.stop));
      if (crash !== undefined) return crashInfo(await crashReport(crash, session.guest, state));
      const breakMode = 'always' as const;
      switch (reason.kind) {
        case 'exception': {
          const more = reason.vectors.includes(PAGE_FAULT) ? await pageFaultText(state, thread) : undefined;
          return {
            exceptionId: reason.vectors.map(vectorName).join(' or '),
            description: more === undefined ? reason.message : `${reason.message} ${more}`,
            breakMode,
          };
        }
        case 'fault':
          return {
            exceptionId: reason.tripleFault ? 'Triple fault' : 'Guest fault',
            description: reason.message,
            breakMode,
          };
        default:
          return { exceptionId: 'none', description: 'The guest did not stop for a fault.', breakMode };
      }
    },
  },
};

/** One verdict for each filter, in their order. The guest must stand still. */
async function replaceFilters(
  { exceptions, breakpoints: table }: Session,
  wanted: WantedFilters,
  guest: Guest | undefined,
): Promise<DebugProtocol.Breakpoint[]> {
  const vectors = new Map([...wanted].filter(([filter]) => !isCrashFilter(filter)));
  const verdicts = await exceptions.replace(vectors, guest?.target);
  const crashes = await replaceCrashes(table, wanted, guest);
  return [...wanted.keys()].flatMap((filter) => crashes.get(filter) ?? verdicts.shift() ?? []);
}
