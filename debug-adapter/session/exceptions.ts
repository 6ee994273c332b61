/** What stopped the guest when it was neither a breakpoint nor the user. */
import { vectorName } from '../../hypervisor-core/interrupts/vectors.ts';
import type { Area } from './area.ts';
import { EXCEPTION_FILTERS } from './exception-filters.ts';
import { pageFaultText } from './page-fault-text.ts';

const PAGE_FAULT = 14;

export const exceptions: Area = {
  capabilities: {
    supportsExceptionInfoRequest: true,
    supportsExceptionFilterOptions: true,
    exceptionBreakpointFilters: [...EXCEPTION_FILTERS],
  },
  handlers: {
    setExceptionBreakpoints: async (session, args) => {
      const { exceptions: filters } = session;
      const wanted = filters.read(args);
      if (!session.launched) return { breakpoints: await filters.replace(wanted, undefined) };
      const { runner, target } = session.guest;
      return { breakpoints: await runner.whileStopped(() => filters.replace(wanted, target)) };
    },

    exceptionInfo: async (session, args) => {
      const { state, thread } = await session.stoppedThread(args.threadId);
      const { reason } = state.stop;
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
