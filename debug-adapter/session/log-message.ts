/** Messages of log points: `at {index}: {flags,x}`; `\{` stands for a brace. */
import type { EvaluationContext, Expressions, MessagePart } from '../expressions/api.ts';
import { describeError } from './errors.ts';

/** Takes a message apart. An expression may have braces of its own, one level deep. */
export function partsOf(message: string, { splitFormat }: Pick<Expressions, 'splitFormat'>): readonly MessagePart[] {
  const parts = message.split(/(\\[{}]|\{(?:[^{}]|\{[^{}]*\})*\})/);
  return parts.map((part) => {
    if (/^\\[{}]$/.test(part)) return part.slice(1);
    return /^\{.*\}$/s.test(part) ? splitFormat(part.slice(1, -1)) : part;
  });
}

/** The message with its values, or the reason where there is none. */
export async function interpolate(
  message: string,
  here: () => Promise<EvaluationContext>,
  expressions: Expressions,
): Promise<string> {
  const texts = partsOf(message, expressions).map(async (part) => {
    if (typeof part === 'string') return part;
    try {
      const context = await here();
      return (await expressions.format(await expressions.evaluate(part.source, context), context, part.format)).text;
    } catch (error) {
      return `{${describeError(error).message}}`;
    }
  });
  return (await Promise.all(texts)).join('');
}
