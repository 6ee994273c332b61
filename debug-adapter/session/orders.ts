/**
 * What a target is asked to do by itself at a breakpoint: decide whether its condition holds, count, print. What it cannot is
 * left to the adapter, which the guest is stopped for then, and the user is told.
 */
import { ExpressionError, type Expressions } from '../expressions/api.ts';
import type { BreakpointPlace, SymbolIndex } from '../symbols/api.ts';
import type { Target } from '../target/target.ts';
import type { BreakpointRequest } from './breakpoint-request.ts';
import { partsOf } from './log-message.ts';
import { messageMark } from './log-output.ts';
import type { TrapUse } from './traps.ts';

type Compiler = Pick<Expressions, 'compile' | 'compileMessage' | 'splitFormat'>;

interface Wanted {
  readonly id: number;
  readonly request: BreakpointRequest;
  /** A variable for the target to count in; undefined when there is none left. */
  readonly counter: number | undefined;
}

export interface Orders {
  /** One for each place. */
  readonly uses: readonly TrapUse[];
  /** Says what is left to the adapter, and why. */
  readonly message?: string;
}

/** Why the rest of a breakpoint's terms is left to the adapter. */
class Left extends Error {}

/** In this order each needs the one before: hits count where the condition holds, and messages are of hits. */
const TERMS = ['condition', 'hits', 'logMessage'] as const;
const WORDS = { condition: 'condition', hits: 'hit count', logMessage: 'log message' } as const;

/** Orders for a breakpoint at its places. */
export async function ordersFor(
  wanted: Wanted,
  places: readonly BreakpointPlace[],
  { target, symbols }: { readonly target: Target; readonly symbols: SymbolIndex | undefined },
  expressions: Compiler,
): Promise<Orders> {
  const { mode } = wanted.request;
  let uses: readonly TrapUse[] = places.map(() => (mode === undefined ? {} : { mode }));
  const terms = TERMS.filter((term) => wanted.request[term] !== undefined);
  for (const [done, term] of terms.entries()) {
    try {
      const compile = compilerOf(term, wanted, target, expressions);
      uses = await Promise.all(
        uses.map(async (use, n) => {
          const pc = places[n]?.address ?? 0n;
          return { ...use, ...(await compile({ symbols, pc, registers: target.registers })) };
        }),
      );
    } catch (error) {
      if (!(error instanceof Left || error instanceof ExpressionError)) throw error;
      return { uses, message: leftWords(terms.slice(done), error.message) };
    }
  }
  return { uses };
}

type Compile = (scope: Parameters<Compiler['compile']>[1]) => Promise<Partial<TrapUse>>;

/** How one term is compiled for a place. */
function compilerOf(
  term: (typeof TERMS)[number],
  { id, request, counter }: Wanted,
  target: Target,
  expressions: Compiler,
): Compile {
  const { condition = '1', hits, logMessage = '' } = request;
  if (request.kind === 'data') throw new Left('watchpoints have no conditions');
  if (!target.can.conditions) throw new Left(`${target.name} evaluates none`);
  if (term === 'condition') return async (scope) => ({ condition: await expressions.compile(condition, scope) });
  if (!target.can.counts) throw new Left(`${target.name} is not this session's alone`);
  if (term === 'hits') {
    if (counter === undefined || !hits) throw new Left('all variables to count in are in use');
    const tally = { ...hits, variable: counter };
    return async (scope) => ({ condition: await expressions.compile(condition, scope, tally), counts: true });
  }
  const parts = [messageMark(id), ...partsOf(logMessage, expressions)];
  return async (scope) => ({ command: await expressions.compileMessage(parts, scope) });
}

function leftWords(terms: readonly (typeof TERMS)[number][], reason: string): string {
  const names = terms.map((term) => WORDS[term]);
  const all = names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are` : `${names[0]} is`;
  return `The ${all} evaluated by the debug adapter at each hit: ${reason.replace(/\.?$/, '.')}`;
}
