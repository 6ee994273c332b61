/** What stopped the guest when it was neither a breakpoint nor the user. */
import type { Area } from './area.ts';

export const exceptions: Area = {
  capabilities: { supportsExceptionInfoRequest: true },
  handlers: {
    exceptionInfo: async (session, args) => {
      const { state } = await session.stoppedThread(args.threadId);
      const { reason } = state.stop;
      const fault = reason.kind === 'fault';
      return {
        exceptionId: fault ? 'Guest fault' : 'none',
        description: fault ? reason.message : 'The guest did not stop for a fault.',
        breakMode: 'always' as const,
      };
    },
  },
};
