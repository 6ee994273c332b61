/** The room's entry: C expressions over symbols, registers and memory. */
import { compileCondition, compileMessage } from './agent/compile.ts';
import { type EvaluationContext, ExpressionError, type Expressions, type Value, type ValueFormat } from './api.ts';
import { assignTo } from './assignment.ts';
import { complete } from './complete.ts';
import { Evaluator } from './evaluator.ts';
import { childrenOf, formatValue } from './formatting.ts';
import { type Environment, environmentOf, load, type Operand, unknownTypeError } from './operands.ts';
import { parseIn } from './parse-in.ts';
import { type SummaryLimits, usualLimits } from './summary.ts';
import { typeName } from './type-name.ts';
import { sizeOf, unknownData } from './types.ts';

/** `limits` bound the one-line texts. */
export function createExpressions(limits: SummaryLimits = usualLimits): Expressions {
  return {
    evaluate: (source, context) => withColumn(() => evaluate(source, context)),
    holds: (source, context) => withColumn(() => holds(source, context)),
    sizeOf: (type) => sizeOf(type),
    format: (value, context, format = { radix: 'natural' }) => formatValue(value, context, format, limits),
    children: childrenOf,
    assign: (target, source, context) => withColumn(() => assign(target, source, context)),
    compile: (source, scope, tally) => withColumn(() => compileCondition(source, scope, tally)),
    compileMessage: (parts, scope) => withColumn(() => compileMessage(parts, scope)),
    splitFormat,
    complete: (text, column, context, limit) => complete(text, column, context, limit, evaluate),
    typeName,
  };
}

/** Failures of the target or the symbols become errors of the expression. */
async function withColumn<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ExpressionError || !(error instanceof Error)) throw error;
    const wrapped = new ExpressionError(error.message, 0);
    wrapped.cause = error;
    throw wrapped;
  }
}

async function evaluate(source: string, context: EvaluationContext): Promise<Value> {
  const value = await operandOf(source, environmentOf(context));
  if (value.type === unknownData) throw unknownTypeError(value, 0);
  const { type, place, bits } = value;
  return { type, place, ...(bits && { bits }), expression: repeatable(source) ? source.trim() : '' };
}

async function operandOf(source: string, environment: Environment): Promise<Operand> {
  return new Evaluator(environment).evaluate(parseIn(source, environment));
}

async function holds(source: string, context: EvaluationContext): Promise<boolean> {
  const environment = environmentOf(context);
  return Boolean((await load(await operandOf(source, environment), environment, 0)).value);
}

/** Assignments happen once; evaluating a child must not repeat them. */
const repeatable = (source: string) => !/\+\+|--|(?<![=!<>])=(?!=)|<<=|>>=/.test(source);

async function assign(target: Value, source: string, context: EvaluationContext): Promise<Value> {
  const environment = environmentOf(context);
  const value = await operandOf(withoutDecoration(source), environment);
  await assignTo(target, value, environment, 0);
  return target;
}

/** Clients let the user edit the text that was shown: `65 'A'`, `0x1000 <start+4> "text"`, `0x246 [PF ZF]`. */
function withoutDecoration(source: string): string {
  return /^\s*(-?\d\w*) +(?:'[^']*'|'\\''|<[^<>]*>|\[[^[\]]*\])(?: ".*)?\s*$/.exec(source)?.[1] ?? source;
}

const RADIX: Readonly<Record<string, ValueFormat['radix']>> = {
  x: 'hex',
  d: 'decimal',
  b: 'binary',
  t: 'binary',
  o: 'octal',
  c: 'character',
  s: 'string',
};

function splitFormat(source: string): { source: string; format?: ValueFormat } {
  const match = /^(.*[^\s,]),\s*([xdbtocs])\s*$/s.exec(source);
  const radix = match && RADIX[match[2] ?? ''];
  return match && radix ? { source: match[1] ?? '', format: { radix } } : { source };
}
