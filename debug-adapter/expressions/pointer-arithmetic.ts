/** Sums, differences and comparisons in which a pointer takes part, C11 6.5.6 and 6.5.8. */
import { ExpressionError } from './api.ts';
import { compare, isComparison } from './arithmetic.ts';
import { strideOf } from './operands.ts';
import type { Scalar } from './scalars.ts';
import type { ArithmeticOperator } from './syntax.ts';
import { type DataModel, isInteger, strip } from './types.ts';

/** At least one operand is a pointer. Integers compare with pointers by their value, as in gdb. */
export function pointerArithmetic(
  operator: ArithmeticOperator,
  left: Scalar,
  right: Scalar,
  model: DataModel,
  at: number,
): Scalar {
  const [a, b] = [bits(left, at), bits(right, at)];
  const unsigned = (value: bigint) => BigInt.asUintN(model.pointerSize * 8, value);
  if (isComparison(operator)) {
    return { type: model.int, value: compare(operator, unsigned(a), unsigned(b)) ? 1n : 0n };
  }
  const leftType = strip(left.type);
  const rightType = strip(right.type);
  if (leftType.kind === 'pointer' && rightType.kind === 'pointer' && operator === '-') {
    const size = strideOf(leftType.target, at);
    if (size !== strideOf(rightType.target, at)) {
      throw new ExpressionError(
        "First argument of `-' is a pointer and second argument is neither an integer nor a pointer of the same type.",
        at,
      );
    }
    const difference = BigInt.asIntN(model.pointerSize * 8, a - b);
    return { type: model.long, value: size === 0n ? 0n : difference / size };
  }
  if (leftType.kind === 'pointer' && isInteger(rightType) && (operator === '+' || operator === '-')) {
    const distance = b * strideOf(leftType.target, at);
    return { type: left.type, value: unsigned(operator === '+' ? a + distance : a - distance) };
  }
  if (rightType.kind === 'pointer' && isInteger(leftType) && operator === '+') {
    return { type: right.type, value: unsigned(a * strideOf(rightType.target, at) + b) };
  }
  throw new ExpressionError(`Operator ${operator} does not take a pointer; cast it to an integer first.`, at);
}

function bits({ value }: Scalar, at: number): bigint {
  if (typeof value === 'number') throw new ExpressionError('A pointer and a floating-point number do not mix.', at);
  return value;
}
