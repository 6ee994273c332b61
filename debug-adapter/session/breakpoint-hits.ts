/** Decides at a stop which breakpoints it is for: by their conditions and hit counts, and prints log messages. */
import type { EvaluationContext, Expressions } from '../expressions/api.ts';
import { isHit } from './breakpoint-request.ts';
import type { BreakpointTable, UserBreakpoint } from './breakpoint-table.ts';
import { holds } from './condition.ts';
import { interpolate } from './log-message.ts';
import type { StopState } from './stop-state.ts';

export interface HitReport {
  /** A message of a log point, without a line end. */
  log(message: string, breakpoint: UserBreakpoint): void;
  /** A condition or log message that cannot be evaluated. */
  complain(message: string): void;
}

/** Breakpoints of the user that the guest may have met at this stop. */
export async function candidates(state: StopState, table: BreakpointTable): Promise<readonly UserBreakpoint[]> {
  const { reason, thread } = state.stop;
  switch (reason.kind) {
    case 'breakpoint':
    case 'step':
      return table.at(await state.pc(thread));
    case 'watchpoint':
      return table.over(reason.address);
    default:
      return [];
  }
}

/** Those of the candidates that stop the guest. Counts the hits. */
export async function hitsAt(
  state: StopState,
  met: readonly UserBreakpoint[],
  table: BreakpointTable,
  expressions: Expressions,
  report: HitReport,
): Promise<readonly UserBreakpoint[]> {
  const hit: UserBreakpoint[] = [];
  let context: EvaluationContext | undefined;
  const here = async () => {
    const { thread } = state.stop;
    const [frame] = context ? [] : await state.unwind(thread, 1);
    if (frame) context = state.context(thread, frame);
    if (!context) throw new Error('there is no frame to evaluate it in');
    return context;
  };
  for (const breakpoint of met) {
    const { condition, hits, logMessage } = breakpoint.request;
    if (condition !== undefined && !(await holds(condition, here, expressions, report.complain))) continue;
    if (hits && !isHit(await table.visit(breakpoint, state.stop), hits)) continue;
    if (logMessage === undefined) hit.push(breakpoint);
    else report.log(await interpolate(logMessage, here, expressions), breakpoint);
  }
  return hit;
}
