/** From `initialize` to `disconnect`. */
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import type { Area } from './area.ts';
import { followConsole } from './console-output.ts';
import { alreadyLaunched, notLaunched } from './errors.ts';
import { startGuest } from './guest.ts';
import { IndexProgress } from './index-progress.ts';
import { type LaunchArguments, readLaunchArguments } from './launch-arguments.ts';
import { continueAll } from './run-control.ts';
import type { Session } from './session.ts';

export const lifecycle: Area = {
  capabilities: {
    supportsConfigurationDoneRequest: true,
    supportsTerminateRequest: true,
    supportsRestartRequest: true,
    supportTerminateDebuggee: true,
  },
  handlers: {
    initialize: (session, args) => {
      session.client = args;
      return session.capabilities;
    },

    launch: async (session, args) => {
      if (session.launched) throw alreadyLaunched();
      session.launchArguments = await readLaunchArguments(args);
      await boot(session, session.launchArguments);
      // Breakpoints are bound at once when the client sends them after this.
      setImmediate(() => session.send.event('initialized', undefined));
    },

    configurationDone: (session) => begin(session),

    restart: async (session, args) => {
      const given: unknown = args.arguments;
      const changed = typeof given === 'object' && given !== null && 'program' in given;
      const next = changed ? await readLaunchArguments({ ...given }) : session.launchArguments;
      if (!next) throw notLaunched();
      session.launchArguments = next;
      await session.end();
      await boot(session, next);
      session.send.event('continued', { threadId: 1, allThreadsContinued: true });
      await begin(session);
    },

    terminate: async (session) => {
      await session.bidFarewell();
      await session.end();
      setImmediate(() => session.send.event('terminated', {}));
    },

    disconnect: async (session) => {
      await session.bidFarewell();
      await session.close();
    },
  },
};

async function boot(session: Session, args: LaunchArguments): Promise<void> {
  const progress = new IndexProgress(session);
  const guest = await startGuest(args, session.startTarget, (fraction) => progress.report(fraction));
  void guest.symbols?.indexed.then(() => progress.end());
  try {
    await session.adopt(guest);
    await followConsole(session, guest, args.console);
    const info = await guest.target.inspect?.sendRequest(inspect.info);
    if (info) session.send.ringside('ringside/started', { info });
  } catch (error) {
    await session.end();
    throw error;
  }
}

/** Lets a guest that stands at its first instruction go, or says that it stands there. */
async function begin(session: Session): Promise<void> {
  const { guest } = session;
  const { stop } = session.stopped;
  if (session.launchArguments?.stopOnEntry) setImmediate(() => void session.report(guest, stop, 'entry'));
  else await session.move('continue', continueAll);
}
