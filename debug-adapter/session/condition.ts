/** Whether what the user asked of a stop is so. */
import type { EvaluationContext, Expressions } from '../expressions/api.ts';
import { describeError } from './errors.ts';

/** A condition that cannot be evaluated counts as met, and is complained of, so that nothing is missed. */
export async function holds(
  condition: string,
  where: () => Promise<EvaluationContext>,
  expressions: Pick<Expressions, 'holds'>,
  complain: (message: string) => void,
): Promise<boolean> {
  try {
    return await expressions.holds(condition, await where());
  } catch (error) {
    complain(`The condition "${condition}" cannot be evaluated: ${describeError(error).message}`);
    return true;
  }
}
