/** How a stop of the target is told to a DAP client. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Frame } from '../symbols/api.ts';
import { symbolText } from '../symbols/readable-name.ts';
import type { UserBreakpoint } from './breakpoint-table.ts';
import { crashMessage } from './crash-report.ts';
import type { Guest } from './guest.ts';
import type { StopState } from './stop-state.ts';

/** What the user asked for before the stop. */
export type Movement = 'entry' | 'goto' | 'continue' | 'step' | 'step-instruction';

type Body = DebugProtocol.StoppedEvent['body'];

/** The body of the `stopped` event. */
export async function describeStop(
  state: StopState,
  guest: Guest,
  hit: readonly UserBreakpoint[],
  movement: Movement,
): Promise<Body> {
  const { thread } = state.stop;
  const crash = crashOf(hit);
  const told =
    crash === undefined ? describeReason(state, guest, hit, movement) : await describeCrash(crash, guest, state);
  const body: Body = {
    description: DESCRIPTIONS[told.reason] ?? 'Paused',
    ...told,
    threadId: thread,
    allThreadsStopped: true,
  };
  const frames = await state.frames(thread);
  const isShown = ({ line }: Frame) => line !== undefined && guest.sources.here(line.file) !== undefined;
  // Of an exception VS Code shows the innermost frame with source, which is seldom its handler's first instruction.
  const hasSource = body.reason === 'exception' ? frames.some(isShown) : frames.slice(0, 1).some(isShown);
  const focused = body.reason === 'step' && movement === 'step-instruction';
  if (hasSource || focused || body.reason === 'instruction breakpoint') return body;
  // VS Code gives a frame without source the focus, and shows its disassembly, for this reason only.
  return { ...body, reason: 'instruction breakpoint' };
}

/** The Call Stack shows the description. */
async function describeCrash(crash: string, guest: Guest, state: StopState): Promise<Body> {
  const text = await crashMessage(crash, guest, state);
  return { reason: 'exception', description: text, text };
}

/** The crash filter among what was hit. */
export function crashOf(hit: readonly UserBreakpoint[]): string | undefined {
  return hit.flatMap(({ request }) => (request.kind === 'crash' ? request.filter : []))[0];
}

/** Without one VS Code says "Paused on" and DAP's word: "Paused on goto". */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  entry: 'Paused on entry',
  goto: 'Paused after a jump',
  pause: 'Paused',
  step: 'Paused on step',
  breakpoint: 'Paused on breakpoint',
  'function breakpoint': 'Paused on function breakpoint',
  'instruction breakpoint': 'Paused on instruction breakpoint',
};

const REASONS = {
  source: 'breakpoint',
  function: 'function breakpoint',
  instruction: 'instruction breakpoint',
  data: 'data breakpoint',
  crash: 'exception',
  modules: 'breakpoint',
  code: 'breakpoint',
} as const;

function describeReason(
  state: StopState,
  { symbols }: Guest,
  hit: readonly UserBreakpoint[],
  movement: Movement,
): Body {
  const { reason } = state.stop;
  const ids = hit.length > 0 ? { hitBreakpointIds: hit.map(({ id }) => id) } : {};
  switch (reason.kind) {
    case 'pause':
      return { reason: movement === 'entry' || movement === 'goto' ? movement : 'pause' };
    case 'step':
      return { reason: 'step' };
    case 'watchpoint':
      return {
        reason: 'data breakpoint',
        ...ids,
        description: `Paused after a ${reason.access === 'read' ? 'read' : 'change'} of ${symbolText(reason.address, symbols) ?? hex(reason.address)}`,
      };
    case 'exception':
      return { reason: 'exception', description: 'Paused on an exception', text: reason.message };
    case 'event':
      return { reason: 'breakpoint', description: reason.message };
    case 'fault':
      return { reason: 'exception', description: 'Paused on a fault', text: reason.message };
    case 'breakpoint': {
      const [first] = hit;
      if (!first) return { reason: 'breakpoint', description: "Paused on the guest's own breakpoint instruction" };
      return { reason: REASONS[first.request.kind], ...ids };
    }
  }
}
