/** Continue, pause and the steps. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Area } from './area.ts';
import { optionalInteger } from './arguments.ts';
import { upcomingCalls } from './calls.ts';
import { guestStopped, noCaller, staleReference } from './errors.ts';
import type { Operation, Session } from './session.ts';
import { Stepper } from './stepper.ts';

type StepArguments = Pick<DebugProtocol.NextArguments, 'threadId' | 'granularity' | 'singleThread'>;
type Way = 'into' | 'over' | 'out';

/** Lets every vCPU go. */
export const continueAll: Operation = (go, from) => go(from.stop.thread, { kind: 'continue' }, 'continue');

export const runControl: Area = {
  capabilities: {
    supportsSteppingGranularity: true,
    supportsSingleThreadExecutionRequests: true,
    supportsStepInTargetsRequest: true,
  },
  handlers: {
    continue: async (session, args) => {
      const alone = args.singleThread === true;
      await resume(session, args.threadId ?? session.stopped.stop.thread, alone ? 'stay' : 'continue');
      return { allThreadsContinued: !alone };
    },
    pause: async (session, args) => {
      optionalInteger('threadId', args.threadId, 0, Number.MAX_SAFE_INTEGER, 0);
      if (!session.guest.runner.running) throw guestStopped();
      await session.guest.runner.pause();
    },
    next: (session, args) => step(session, args, 'over'),
    stepIn: (session, args) => {
      if (args.targetId === undefined || args.targetId === null) return step(session, args, 'into');
      const call = session.offered.get(args.targetId);
      if (call === undefined) throw staleReference('call');
      return step(session, args, 'into', call);
    },
    stepInTargets: async (session, args) => {
      const { thread, index } = await session.frame(args.frameId);
      const calls = index === 0 ? await upcomingCalls(session.stopped, thread) : [];
      return {
        targets: calls.map(({ address, label }) => ({
          id: session.offered.add(address),
          label,
          line: session.stopped.symbols?.lineAt(address)?.line ?? 0,
        })),
      };
    },
    stepOut: (session, args) => step(session, args, 'out'),

    'ringside/runAlone': async (session, { threadId, how }) => {
      if (how === 'step') await step(session, { threadId, granularity: 'instruction', singleThread: true }, 'into');
      else {
        await resume(session, threadId, 'stay');
        // Unlike `continue`, this request says nothing to a client that does not know it.
        session.send.event('continued', { threadId, allThreadsContinued: false });
      }
      return {};
    },
  },
};

async function resume(session: Session, threadId: unknown, others: 'continue' | 'stay'): Promise<void> {
  const { thread } = await session.stoppedThread(threadId);
  await session.move('continue', (go) => go(thread, { kind: 'continue' }, others));
}

/** `call`: where the call is that a step into is meant for. */
async function step(session: Session, args: StepArguments, way: Way, call?: bigint): Promise<void> {
  const { state, thread } = await session.stoppedThread(args.threadId);
  const { breakpoints, guest } = session;
  const others = args.singleThread === true ? 'stay' : 'continue';
  const byInstruction = args.granularity === 'instruction';
  const stepper = (...[go, , look]: Parameters<Operation>) =>
    new Stepper(go, look, breakpoints, guest.target.can.rangeStep, thread, others);

  if (way === 'out') {
    const frames = await state.frames(thread);
    const [frame] = frames;
    const caller = frames.find(({ found }) => found !== 'registers');
    if (!frame || (!caller && !frame.inlined)) throw noCaller();
    const beyond = caller ?? frame;
    await session.move('step', (...how) => stepper(...how).out(state, frame, beyond));
    return;
  }
  await session.move(byInstruction ? 'step-instruction' : 'step', (...how) => {
    const steps = stepper(...how);
    if (call !== undefined) return steps.intoCall(state, call);
    if (!byInstruction) return steps.line(state, way === 'into');
    return way === 'into' ? steps.instruction() : steps.overInstruction(state);
  });
}
