/** Hit counts in agent expressions: a visit that meets the condition counts, and the number of visits decides. */
import type { Tally } from '../api.ts';
import type { Assembler } from './assembler.ts';
import type { Numbers } from './numbers.ts';

/** Takes the condition's number off the stack and leaves whether this visit is one to stop at. */
export function emitTally({ variable, comparison, count }: Tally, code: Assembler, numbers: Numbers): void {
  code.emit('log_not');
  const passed = code.jump('if_goto');
  code.variable('getv', variable);
  code.constant(1n);
  code.emit('add');
  code.variable('setv', variable);
  code.constant(BigInt(count));
  if (comparison === '%') code.emit('rem_unsigned', 'log_not');
  else numbers.compare(comparison, true);
  const end = code.jump('goto');
  code.land(passed);
  code.constant(0n);
  code.land(end);
}
