/** What agent expressions see of one vCPU that stands still, and the variables that they share. */
import { AgentError } from '../protocol/agent/program.ts';
import { registers } from '../protocol/target-description.ts';
import type { ConditionContext } from './conditions.ts';

/** Trace state variables 0 to 1023, in shared memory. */
const VARIABLES = 1024;
export const VARIABLE_BYTES = VARIABLES * 8;

export class AgentVariables {
  readonly #values: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#values = new BigInt64Array(memory, 0, VARIABLES);
  }

  /** Throws {@link AgentError} for a number beyond the last variable's. */
  get(index: number): bigint {
    return Atomics.load(this.#values, checked(index));
  }

  set(index: number, value: bigint): void {
    Atomics.store(this.#values, checked(index), BigInt.asIntN(64, value));
  }
}

function checked(index: number): number {
  if (index < VARIABLES) return index;
  throw new AgentError(`uses variable ${index}; there are ${VARIABLES}`);
}

/** How a vCPU's state is reached, here or on its worker. */
export interface AgentSource {
  /** A register by its name in the target description. */
  register(name: string): bigint;
  /** Guest-virtual bytes with planted traps hidden; fewer where nothing is mapped. */
  memory(gva: bigint, length: number): Uint8Array;
  print(text: string): void;
}

const WIDEST = 64;

export function agentContext(source: AgentSource, variables: AgentVariables): ConditionContext {
  return {
    get cr3() {
      return source.register('cr3');
    },
    register(regnum) {
      const register = registers[regnum];
      if (!register) throw new AgentError(`uses register number ${regnum}, which does not exist`);
      if (register.bits > WIDEST) throw new AgentError(`uses ${register.name}, which is wider than ${WIDEST} bits`);
      return source.register(register.name);
    },
    memory: (gva, length) => source.memory(gva, length),
    variable: (index) => variables.get(index),
    setVariable: (index, value) => variables.set(index, value),
    print: (text) => source.print(text),
  };
}
