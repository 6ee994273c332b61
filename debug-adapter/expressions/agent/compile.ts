/** Conditions of breakpoints to the bytecode that a stub runs at each hit. */
import type { ConditionScope, EvaluationContext } from '../api.ts';
import { environmentOf } from '../operands.ts';
import { parseIn } from '../parse-in.ts';
import { Assembler } from './assembler.ts';
import { AgentCompiler } from './compiler.ts';
import { refused } from './numbers.ts';

/** Stubs have limits of their own; jumps reach 64 KiB. */
const LONGEST = 4096;

/**
 * The bytecode leaves a number that is not 0 where the guest is to stop. Throws `NotCompilable` for what only the
 * adapter can evaluate, and ExpressionError for what is wrong.
 */
export async function compileCondition(source: string, scope: ConditionScope): Promise<Uint8Array> {
  const environment = environmentOf(contextOf(scope));
  const node = parseIn(source, environment);
  const code = new Assembler();
  const numbers = new Map(scope.registers.map(({ name, regnum }) => [name, regnum]));
  await new AgentCompiler(environment, code, (name) => numbers.get(name)).number(node);
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
