/** Completion of half-written expressions: registers after `$`, members after `.` and `->`, else what is in scope. */
import type { Completion, EvaluationContext, Value } from './api.ts';
import { MAX_LENGTH, type Token, tokenize } from './lexer.ts';
import { allRegisterNames } from './registers.ts';
import { sugarNames } from './sugar.ts';
import { taskMacro, taskMacroNames } from './task-macros.ts';
import { isAggregate, membersOf, strip } from './types.ts';

type Evaluate = (source: string, context: EvaluationContext) => Promise<Value>;

/** Never throws: where the text makes no sense there is nothing to offer. Sorted as found, nearest scope first. */
export async function complete(
  text: string,
  column: number,
  context: EvaluationContext,
  limit: number,
  evaluate: Evaluate,
): Promise<{ start: number; completions: readonly Completion[] }> {
  const before = text.slice(0, Math.min(Math.max(0, column), MAX_LENGTH));
  const word = /\$?\w*$/.exec(before)?.[0] ?? '';
  const start = before.length - word.length;
  const found = await candidates(before.slice(0, start), word, context, limit, evaluate);
  const unique = new Map(found.filter(({ name }) => name.startsWith(word)).map((each) => [each.name, each]));
  return { start, completions: [...unique.values()].slice(0, limit) };
}

async function candidates(
  before: string,
  word: string,
  context: EvaluationContext,
  limit: number,
  evaluate: Evaluate,
): Promise<readonly Completion[]> {
  if (word.startsWith('$')) {
    const tasks = taskMacroNames.filter((name) => taskMacro(name, context.symbols));
    const others = [...sugarNames.filter((name) => name.startsWith('$')), ...tasks];
    return [
      ...allRegisterNames(context).map((name) => ({ name: `$${name}`, kind: 'register' }) as const),
      ...others.map((name) => ({ name, kind: 'symbol' }) as const),
    ];
  }
  const operator = /(?:\.|->)\s*$/.exec(before);
  if (operator) return members(endOf(before.slice(0, operator.index)), context, evaluate);
  // A number, or the part of one.
  if (/^\d/.test(word)) return [];
  const { symbols, frame } = context;
  const variables = symbols?.variablesAt(frame.pc, frame.level) ?? [];
  const names = word === '' ? [] : (symbols?.namesWithPrefix(word, limit) ?? []);
  return [
    ...variables.map(({ name }) => ({ name, kind: 'variable' }) as const),
    ...names.map((name) => ({ name, kind: 'symbol' }) as const),
  ];
}

async function members(object: string, context: EvaluationContext, evaluate: Evaluate): Promise<readonly Completion[]> {
  const value = await evaluate(object, context).catch(() => undefined);
  const type = value && strip(value.type);
  if (!type) return [];
  const inner = type.kind === 'pointer' ? strip(type.target) : type.kind === 'array' ? strip(type.element) : type;
  return isAggregate(inner) ? membersOf(inner).map(({ name }) => ({ name, kind: 'member' })) : [];
}

/** The longest chain of postfix operators that a text ends with; empty when it ends with something else. */
function endOf(source: string): string {
  const tokens = tokensOf(source);
  let index = tokens.length - 1;
  for (;;) {
    while (tokens[index]?.text === ']') index = opening(tokens, index) - 1;
    const token = tokens[index];
    if (token?.text === ')') index = opening(tokens, index);
    else if (token?.kind !== 'identifier' && token?.kind !== 'register') return '';
    const link = tokens[index - 1]?.text;
    if (link !== '.' && link !== '->' && link !== '::') break;
    index -= 2;
    if (tokens[index]?.kind === 'file') break;
  }
  const first = tokens[index];
  return first ? source.slice(first.at) : '';
}

/** Index of the bracket that the one at `index` closes; -1 when there is none. */
function opening(tokens: readonly Token[], index: number): number {
  let depth = 0;
  for (let at = index; at >= 0; at--) {
    const text = tokens[at]?.text;
    if (text === ')' || text === ']') depth++;
    else if ((text === '(' || text === '[') && --depth === 0) return at;
  }
  return -1;
}

function tokensOf(source: string): readonly Token[] {
  try {
    return tokenize(source).slice(0, -1);
  } catch {
    return [];
  }
}
