/** C's operators on arithmetic values, C11 6.5.5 to 6.5.14. Operands are promoted already. */
import { ExpressionError } from './api.ts';
import { commonType, convert, type Scalar, wrap } from './scalars.ts';
import type { ArithmeticOperator } from './syntax.ts';
import { type DataModel, isInteger, isSigned, strip } from './types.ts';

type Comparison = '<' | '>' | '<=' | '>=' | '==' | '!=';

export function isComparison(operator: string): operator is Comparison {
  return /^([<>]=?|[=!]=)$/.test(operator);
}

/** `compare(a, b)` for two values of one type. */
export function compare(operator: Comparison, a: bigint | number, b: bigint | number): boolean {
  switch (operator) {
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    case '==':
      return a === b;
    case '!=':
      return a !== b;
  }
}

/** Throws ExpressionError for a division by zero or an operator that does not take the operands. */
export function arithmetic(
  operator: ArithmeticOperator,
  left: Scalar,
  right: Scalar,
  model: DataModel,
  at: number,
): Scalar {
  if (operator === '<<' || operator === '>>') return shift(operator, left, right, at);
  const type = commonType(strip(left.type), strip(right.type));
  const a = convert(left, type, at).value;
  const b = convert(right, type, at).value;
  if (isComparison(operator)) return { type: model.int, value: compare(operator, a, b) ? 1n : 0n };
  if (typeof a === 'number' || typeof b === 'number') {
    const value = floating(operator, Number(a), Number(b), at);
    return { type, value: type.size === 4 ? Math.fround(value) : value };
  }
  return { type, value: wrap(integral(operator, a, b, at), type.size, isSigned(type)) };
}

type Computation = Exclude<ArithmeticOperator, Comparison | '<<' | '>>'>;

function integral(operator: Computation, a: bigint, b: bigint, at: number): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
    case '%':
      if (b === 0n) throw new ExpressionError('Division by zero', at);
      return operator === '/' ? a / b : a % b;
    case '&':
      return a & b;
    case '^':
      return a ^ b;
    case '|':
      return a | b;
  }
}

function floating(operator: Computation, a: number, b: number, at: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      throw new ExpressionError(`Operator ${operator} does not take floating-point numbers.`, at);
  }
}

/** C leaves a count beyond the width open; all bits are shifted out then, as gdb does. */
function shift(operator: '<<' | '>>', left: Scalar, right: Scalar, at: number): Scalar {
  const plain = strip(left.type);
  if (!isInteger(plain) || typeof left.value === 'number' || typeof right.value === 'number') {
    throw new ExpressionError(`Operator ${operator} does not take floating-point numbers.`, at);
  }
  if (right.value < 0n) throw new ExpressionError('Shift count is negative.', at);
  const { size } = plain;
  const count = right.value > BigInt(size * 8) ? BigInt(size * 8) : right.value;
  const value = operator === '<<' ? left.value << count : left.value >> count;
  return { type: plain, value: wrap(value, size, isSigned(plain)) };
}
