/** vCPUs as threads, and their call stacks. */
import { basename } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Frame } from '../symbols/api.ts';
import { symbolOffset } from '../symbols/readable-name.ts';
import type { Area } from './area.ts';
import { optionalInteger } from './arguments.ts';
import { namedThreads } from './named-threads.ts';
import type { Session } from './session.ts';
import type { SourcePaths } from './source-paths.ts';

const MOST_FRAMES = 10_000;

export const stacks: Area = {
  capabilities: { supportsDelayedStackTraceLoading: true },
  handlers: {
    threads: async (session) => ({ threads: [...(await namedThreads(session))] }),

    stackTrace: async (session, args) => {
      const { state, thread } = await session.stoppedThread(args.threadId);
      const frames = await state.frames(thread);
      const first = optionalInteger('startFrame', args.startFrame, 0, MOST_FRAMES, 0);
      const levels = optionalInteger('levels', args.levels, 0, MOST_FRAMES, 0);
      const wanted = frames.slice(first, first + (levels || frames.length));
      return {
        stackFrames: wanted.map((frame, n) => describeFrame(session, thread, frame, first + n)),
        totalFrames: frames.length,
      };
    },
  },
};

function describeFrame(session: Session, thread: number, frame: Frame, index: number): DebugProtocol.StackFrame {
  const { sources } = session.guest;
  const source = frame.line && describeSource(sources, frame.line.file);
  return {
    id: session.frames.add({ thread, index }),
    name: frameName(frame),
    line: frame.line?.line ?? 0,
    column: frame.line?.column ?? 0,
    instructionPointerReference: hex(frame.address),
    ...(source ? { source } : {}),
    ...(source?.path === undefined ? { presentationHint: 'subtle' as const } : {}),
  };
}

/** `function`, `symbol+0x10` where there is no source, or the bare address. */
export function frameName({ function: known, symbol, address }: Frame): string {
  return known?.name ?? (symbol ? symbolOffset(symbol, address) : hex(address));
}

/** A recorded file; without a path, and so not opened, where it is not on this machine. */
export function describeSource(sources: SourcePaths, recorded: string): DebugProtocol.Source {
  const path = sources.here(recorded);
  if (path !== undefined) return { name: basename(path), path };
  return { name: basename(recorded), origin: `not found: ${recorded}`, presentationHint: 'deemphasize' };
}
