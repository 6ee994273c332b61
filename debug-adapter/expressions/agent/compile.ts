/** Conditions, hit counts and messages of breakpoints to the bytecode that a stub runs at each hit. */
import type { ConditionScope, EvaluationContext, MessagePart, Tally } from '../api.ts';
import { type Environment, environmentOf } from '../operands.ts';
import { parseIn } from '../parse-in.ts';
import { Assembler } from './assembler.ts';
import { AgentCompiler } from './compiler.ts';
import { emitMessage } from './message.ts';
import { refused } from './numbers.ts';
import { emitTally } from './tally.ts';

/** Stubs have limits of their own; jumps reach 64 KiB. */
const LONGEST = 4096;

/**
 * The bytecode leaves a number that is not 0 where the guest is to stop. Throws `NotCompilable` for what only the
 * adapter can evaluate, and ExpressionError for what is wrong.
 */
export const compileCondition = (source: string, scope: ConditionScope, tally?: Tally): Promise<Uint8Array> =>
  compiled(scope, async (environment, compiler, code) => {
    await compiler.number(parseIn(source, environment));
    if (tally) emitTally(tally, code, compiler.numbers);
  });

/** The bytecode prints the message of a log point. Throws as {@link compileCondition}. */
export const compileMessage = (parts: readonly MessagePart[], scope: ConditionScope): Promise<Uint8Array> =>
  compiled(scope, (environment, compiler, code) => emitMessage(parts, environment, compiler, code));

async function compiled(
  scope: ConditionScope,
  emit: (environment: Environment, compiler: AgentCompiler, code: Assembler) => Promise<void>,
): Promise<Uint8Array> {
  const environment = environmentOf(contextOf(scope));
  const code = new Assembler();
  const numbers = new Map(scope.registers.map(({ name, regnum }) => [name, regnum]));
  await emit(environment, new AgentCompiler(environment, code, (name) => numbers.get(name)), code);
  if (code.size > LONGEST) throw refused('an expression as long as this', 0);
  return code.finish();
}

const nothing = async (): Promise<never> => {
  throw refused('what depends on the guest', 0);
};

/** Names and widths as at the address, and no guest behind them. */
function contextOf({ symbols, pc, registers }: ConditionScope): EvaluationContext {
  const line = symbols?.lineAt(pc);
  const bits = new Map(registers.map((register) => [register.name, register.bits]));
  return {
    symbols,
    frame: {
      index: 0,
      level: 0,
      pc,
      address: pc,
      registers: new Map(),
      read: nothing,
      inlined: false,
      found: 'registers',
      ...(line && { line }),
    },
    readMemory: nothing,
    writeMemory: nothing,
    readRegister: async (name) => new Uint8Array((bits.get(name) ?? 0) / 8),
    writeRegister: nothing,
    registerNames: () => registers.map(({ name }) => name),
  };
}
