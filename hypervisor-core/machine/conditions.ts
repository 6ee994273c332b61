/** Decides whether a breakpoint that was run into stops the guest: address space, conditions, commands. */
import { type AgentContext, evaluate } from '../protocol/agent/evaluate.ts';
import { AgentError, type Program, parseProgram } from '../protocol/agent/program.ts';
import type { Claim } from './breakpoint-list.ts';

export interface Verdict {
  readonly stops: boolean;
  /** Why it stops though nobody knows whether it should: an expression could not be evaluated. */
  readonly problem?: string;
}

/** What conditions are about. */
export interface ConditionContext extends AgentContext {
  readonly cr3: bigint;
}

const PROCESS_CONTEXT = 0xfffn;
const NO_FLUSH = 1n << 63n;

/** CR3 as far as it names a page table. Guests in PAE mode align theirs to 32 bytes, and have no PCID. */
const pageTable = (cr3: bigint): bigint => cr3 & ~(PROCESS_CONTEXT | NO_FLUSH);

const programs = new WeakMap<Uint8Array, Program>();

/** Expressions are taken apart once: they stay the same objects for as long as the plan that they are in. */
function programOf(bytes: Uint8Array): Program {
  const known = programs.get(bytes);
  if (known) return known;
  const program = parseProgram(bytes);
  programs.set(bytes, program);
  return program;
}

/** Stops when one of the claims wants it. An expression that fails stops too: only a person can say what was meant. */
export function judge(claims: readonly Claim[], context: ConditionContext): Verdict {
  let stops = false;
  let problem: string | undefined;
  for (const claim of claims) {
    try {
      stops = judgeClaim(claim, context) || stops;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      stops = true;
      problem ??= error.message;
    }
  }
  return { stops, ...(problem !== undefined && { problem }) };
}

function judgeClaim({ conditions, commands, cr3, records }: Claim, context: ConditionContext): boolean {
  if (records !== undefined) return false;
  if (cr3 !== undefined && pageTable(cr3) !== pageTable(context.cr3)) return false;
  // All are evaluated: they may count.
  const holds = conditions.length === 0 || conditions.map((bytes) => isTrue(bytes, context)).includes(true);
  if (!holds || commands.length === 0) return holds;
  for (const bytes of commands) evaluate(programOf(bytes), context);
  return false;
}

function isTrue(bytes: Uint8Array, context: AgentContext): boolean {
  const value = evaluate(programOf(bytes), context);
  if (value === undefined) throw new AgentError('leaves no value');
  return value !== 0n;
}
