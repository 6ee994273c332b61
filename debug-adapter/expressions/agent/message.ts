/** Messages of log points to agent expressions that print them, with every value as the adapter would show it. */
import type { MessagePart } from '../api.ts';
import type { Environment } from '../operands.ts';
import { parseIn } from '../parse-in.ts';
import { isFlagsRegister } from '../registers.ts';
import { pointsToText } from '../scalar-text.ts';
import { typeName } from '../type-name.ts';
import { isBoolean, isCharacter, isInteger, isSigned } from '../types.ts';
import type { Assembler } from './assembler.ts';
import type { AgentCompiler } from './compiler.ts';
import { refused } from './numbers.ts';

/** The operand of a `printf` that counts them has one byte. */
const MOST_VALUES = 255;

/** Prints the message and a line end. Throws `NotCompilable` for values whose text takes more than digits. */
export async function emitMessage(
  parts: readonly MessagePart[],
  environment: Environment,
  compiler: AgentCompiler,
  code: Assembler,
): Promise<void> {
  let format = '';
  let values = 0;
  // The first value is to lie uppermost.
  for (const part of parts.toReversed()) {
    if (typeof part === 'string') format = literal(part) + format;
    else {
      format = (await emitValue(part, environment, compiler)) + format;
      values++;
    }
  }
  if (values > MOST_VALUES) throw refused('a message of as many values', 0);
  code.constant(0n);
  code.constant(0n);
  code.print(values, `${format}\\n`);
}

/** Leaves the value on the stack and gives its directive. */
async function emitValue(
  { source, format }: Exclude<MessagePart, string>,
  environment: Environment,
  compiler: AgentCompiler,
): Promise<string> {
  const node = parseIn(source, environment);
  const { plain, bits, enumerator } = await compiler.printable(node);
  const radix = format?.radix ?? 'natural';
  const named = enumerator || plain.kind === 'enum' || isBoolean(plain) || isCharacter(plain) || isFlagsRegister(plain);
  if (plain.kind === 'pointer') {
    if (radix === 'hex' && !pointsToText(plain.target)) return '0x%lx';
  } else if (isInteger(plain)) {
    if (radix === 'hex') {
      compiler.cutTo(bits ?? plain.size * 8);
      return '0x%lx';
    }
    if (radix === 'decimal' || (radix === 'natural' && !named)) return isSigned(plain) ? '%ld' : '%lu';
  }
  throw refused(`the text of a value of type ${typeName(plain)}`, node.at);
}

/** Words as they stand in a format, escaped as in C. A line end within would end what is taken for it. */
function literal(text: string): string {
  if (/[^ -~]/.test(text)) throw refused('a message with more than one line, or letters beyond ASCII,', 0);
  return text.replaceAll('\\', '\\\\').replaceAll('%', '%%');
}
