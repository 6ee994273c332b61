/**
 * Exceptions that stop the guest before its own handler runs: DAP's exception filters. The core watches the handlers in
 * the guest's IDT; whether a condition holds is decided here.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { vectorName } from '../../hypervisor-core/interrupts/vectors.ts';
import type { EvaluationContext, Expressions } from '../expressions/api.ts';
import type { Target } from '../target/target.ts';
import { objects, text } from './arguments.ts';
import { holds } from './condition.ts';
import type { StopRequests } from './stop-requests.ts';
import type { StopState } from './stop-state.ts';

const LONGEST_CONDITION = 8192;
const MOST_FILTERS = 64;
const TRIPLE_FAULT = 'triple-fault';

const OFFERED: readonly { readonly vector: number; readonly description: string }[] = [
  { vector: 0, description: 'A division by zero, or one whose result does not fit.' },
  { vector: 3, description: "The guest's own int3; breakpoints of the debugger are none." },
  { vector: 6, description: 'An instruction that does not exist or is not allowed here, such as ud2.' },
  { vector: 8, description: 'An exception while another one was to be delivered.' },
  { vector: 13, description: 'A violation of protection, such as an address that is not canonical.' },
  { vector: 14, description: 'An access that the page tables do not allow. Kernels take many: give a condition.' },
];

const filterOf = (vector: number) => `vector-${vector}`;
const lineOf = (vector: number) => `exception ${vector}`;

export const EXCEPTION_FILTERS: readonly DebugProtocol.ExceptionBreakpointsFilter[] = [
  ...OFFERED.map(({ vector, description }) => ({
    filter: filterOf(vector),
    label: vectorName(vector),
    description,
    supportsCondition: true,
    conditionDescription: 'A C expression, evaluated where the exception happened: $cr2 < 4096',
  })),
  {
    filter: TRIPLE_FAULT,
    label: 'Triple fault',
    description: 'An exception that could not be delivered at all. When this is off, the guest ends at once.',
    default: true,
  },
];

/** The condition of each filter that is on; empty where it has none. */
export type WantedFilters = ReadonlyMap<string, string>;

export class ExceptionFilters {
  private wanted: WantedFilters = new Map([[TRIPLE_FAULT, '']]);
  /** Vectors that are watched for the session's own sake: their exceptions are not the user's. */
  quiet: ReadonlySet<number> = new Set();

  constructor(
    private readonly expressions: Expressions,
    private readonly requests: StopRequests,
  ) {}

  /** Reads the request's arguments. Throws a `UserError` for what is none. */
  read(args: DebugProtocol.SetExceptionBreakpointsArguments): WantedFilters {
    const options = objects('filterOptions', args.filterOptions, MOST_FILTERS);
    const plain = Array.isArray(args.filters) ? args.filters.slice(0, MOST_FILTERS) : [];
    return new Map([
      ...plain.map((filter) => [text('filters', filter, 64), ''] as const),
      ...options.map(
        ({ filterId, condition }) =>
          [text('filterId', filterId, 64), condition ? text('condition', condition, LONGEST_CONDITION) : ''] as const,
      ),
    ]);
  }

  /** One verdict for each filter. The guest must stand still. */
  async replace(wanted: WantedFilters, target: Target | undefined): Promise<DebugProtocol.Breakpoint[]> {
    this.wanted = wanted;
    const refusal = target && (await this.apply(target));
    return [...wanted.keys()].map((filter) => {
      if (!EXCEPTION_FILTERS.some((offered) => offered.filter === filter)) {
        return { verified: false, message: `There is no exception filter "${filter}".` };
      }
      const told = filter === TRIPLE_FAULT ? undefined : refusal;
      return { verified: target !== undefined && told === undefined, ...(told !== undefined && { message: told }) };
    });
  }

  /** Has a new guest stop on what is wanted; gives the reason where it cannot. The guest must stand still. */
  async apply(target: Target): Promise<string | undefined> {
    const vectors = OFFERED.map(({ vector }) => vector).filter((vector) => this.wanted.has(filterOf(vector)));
    const words = `${target.name} cannot stop on exceptions: only Ringside's own core on KVM can.`;
    // Who has no such request does not say so in words that help here.
    return this.requests.replace(target, 'exceptions', vectors.map(lineOf)).then(
      () => undefined,
      () => words,
    );
  }

  /** Has the guest stop on these without the user seeing it, where it can. The guest must stand still. */
  async watchQuietly(target: Target, vectors: readonly number[]): Promise<void> {
    this.quiet = new Set(vectors);
    await this.requests.replace(target, 'session', vectors.map(lineOf)).catch(() => undefined);
  }

  /** Whether a stop is one for the user. @param quiet What was watched quietly when the guest stopped. */
  async stopsAt(state: StopState, quiet: ReadonlySet<number>, complain: (message: string) => void): Promise<boolean> {
    const { reason } = state.stop;
    if (reason.kind === 'fault') return !reason.tripleFault || this.wanted.has(TRIPLE_FAULT);
    if (reason.kind !== 'exception') return true;
    const conditions = reason.vectors.flatMap((vector) => this.wanted.get(filterOf(vector)) ?? []);
    if (conditions.length === 0) return !reason.vectors.some((vector) => quiet.has(vector));
    for (const condition of conditions) {
      if (condition.trim() === '') return true;
      if (await holds(condition, () => interruptedContext(state), this.expressions, complain)) return true;
    }
    return false;
  }
}

/** The frame that took the exception, or the handler's own where it cannot be found. */
async function interruptedContext(state: StopState): Promise<EvaluationContext> {
  const { thread } = state.stop;
  const frames = await state.unwind(thread, 4);
  const frame = frames.find(({ found }) => found === 'interrupt-frame') ?? frames[0];
  if (!frame) throw new Error('there is no frame to evaluate it in');
  return state.context(thread, frame);
}
