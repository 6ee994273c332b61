/** From `initialize` to `disconnect`. */
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import type { Area } from './area.ts';
import { readAttachArguments } from './attach-arguments.ts';
import { followConsole } from './console-output.ts';
import { alreadyLaunched, notLaunched } from './errors.ts';
import { type StartArguments, startGuest } from './guest.ts';
import { IndexProgress } from './index-progress.ts';
import { readLaunchArguments } from './launch-arguments.ts';
import { rewind } from './rewind.ts';
import { continueAll } from './run-control.ts';
import type { Session } from './session.ts';

export const lifecycle: Area = {
  capabilities: {
    supportsConfigurationDoneRequest: true,
    supportsTerminateRequest: true,
    supportsRestartRequest: true,
    supportTerminateDebuggee: true,
    supportsCancelRequest: true,
  },
  handlers: {
    initialize: (session, args) => {
      session.client = args;
      return session.capabilities;
    },

    launch: async (session, args) => start(session, () => readLaunchArguments(args)),

    attach: async (session, args) => start(session, () => readAttachArguments(args)),

    configurationDone: (session) => begin(session),

    // Of requests, none takes long enough to be given up.
    cancel: (session, args) => void session.cancels.get(args.progressId ?? '')?.(),

    restart: async (session, args) => {
      const given: unknown = args.arguments;
      const changed = typeof given === 'object' && given !== null && ('program' in given || 'firmware' in given);
      const before = session.startArguments;
      const next = changed && before?.request === 'launch' ? await readLaunchArguments({ ...given }) : before;
      if (!next) throw notLaunched();
      session.startArguments = next;
      const guest = changed ? undefined : session.living;
      if (guest && next.request === 'launch' && (await rewind(guest, next))) await session.standsAtEntry(guest);
      else {
        await session.end(next.request === 'launch' ? 'kill' : 'leave');
        await boot(session, next);
      }
      session.send.event('continued', { threadId: 1, allThreadsContinued: true });
      await begin(session);
    },

    terminate: async (session) => {
      await session.bidFarewell('kill');
      await session.end('kill');
      setImmediate(() => session.send.event('terminated', {}));
    },

    disconnect: async (session, args) => {
      const attached = session.startArguments?.request === 'attach';
      const how = attached && args.terminateDebuggee !== true ? 'leave' : 'kill';
      await session.bidFarewell(how);
      await session.close(how);
    },
  },
};

async function start(session: Session, read: () => Promise<StartArguments>): Promise<void> {
  if (session.launched) throw alreadyLaunched();
  session.startArguments = await read();
  await boot(session, session.startArguments);
  // Breakpoints are bound at once when the client sends them after this.
  setImmediate(() => session.send.event('initialized', undefined));
}

async function boot(session: Session, args: StartArguments): Promise<void> {
  const progress = new IndexProgress(session);
  const guest = await startGuest(
    args,
    session.startTarget,
    (text) => session.print(text, 'important'),
    (fraction) => progress.report(fraction),
  );
  progress.stop = () => guest.symbols?.stopIndexing();
  void guest.symbols?.indexed.then(() => progress.end());
  try {
    await session.adopt(guest);
    if (args.request === 'launch') await followConsole(session, guest, args.console);
    const tried = guest.symbols?.triedDebugFiles ?? [];
    if (tried.length > 0) session.print(noDwarf(guest.name, tried), 'console');
    for (const sentence of guest.target.missing) session.print(`${sentence}\n`, 'console');
    const info = await guest.target.inspect?.sendRequest(inspect.info).catch(() => undefined);
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
  if (session.startArguments?.stopOnEntry) setImmediate(() => void session.report(guest, stop, 'entry'));
  else await session.move('continue', continueAll);
}

const noDwarf = (name: string, tried: readonly string[]): string =>
  `${name} has no DWARF, so no source lines are known. A file with it was looked for in vain: ${tried.join(', ')}.\n`;
