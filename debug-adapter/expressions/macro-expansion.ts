/**
 * Macros that the image's debug information knows, expanded in the tokens of an expression, C11 6.10.3. Operators of the
 * preprocessor, `#` and `##`, are not known here: a macro with them stays a name that nothing is known by.
 */
import type { Macro } from '../symbols/api.ts';
import { ExpressionError } from './api.ts';
import { type Token, tokenize } from './lexer.ts';

/** Undefined for a name that is no macro, or that a variable has. */
export type FindMacro = (name: string) => Macro | undefined;

/** More than any expression needs; macros that multiply stop here. */
const MAX_TOKENS = 4096;
const MAX_DEPTH = 64;

/** The tokens with macros replaced; replacements stand at the column of the macro's name. */
export function expandMacros(tokens: readonly Token[], find: FindMacro): readonly Token[] {
  return expand(tokens, find, new Set());
}

function expand(tokens: readonly Token[], find: FindMacro, busy: ReadonlySet<string>): Token[] {
  const result: Token[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] as Token;
    const named = token.kind === 'identifier' || token.kind === 'register';
    const macro = named && !busy.has(token.text) ? find(token.text) : undefined;
    const replaced = macro && replacement(macro, tokens, index);
    if (!replaced) {
      result.push(token);
    } else {
      if (busy.size >= MAX_DEPTH) throw new ExpressionError('Macros are nested too deeply.', token.at);
      const { at, end } = token;
      const placed = replaced.tokens.map((each) => ({ ...each, at, end }));
      result.push(...expand(placed, find, new Set([...busy, token.text])));
      index = replaced.last;
    }
    if (result.length > MAX_TOKENS) throw new ExpressionError('Expression is too complex.', token.at);
  }
  return result;
}

/** The macro's body with its arguments, and the index of the last token that it takes; undefined where it is not used. */
function replacement(
  macro: Macro,
  tokens: readonly Token[],
  at: number,
): { tokens: Token[]; last: number } | undefined {
  if (macro.body.includes('#')) return undefined;
  const body = bodyOf(macro);
  if (!body) return undefined;
  const { parameters } = macro;
  if (!parameters) return { tokens: body, last: at };
  if (tokens[at + 1]?.text !== '(') return undefined;
  const given = argumentsAt(tokens, at + 2);
  if (!given || parameters.includes('...')) return undefined;
  const wanted =
    parameters.length === 0 && given.list.every((argument) => argument.length === 0) ? 0 : given.list.length;
  if (wanted !== parameters.length) {
    throw new ExpressionError(`The macro takes ${parameters.length} arguments.`, tokens[at]?.at ?? 0);
  }
  const filled = body.flatMap((token) => {
    const parameter = token.kind === 'identifier' ? parameters.indexOf(token.text) : -1;
    return parameter < 0 ? [token] : (given.list[parameter] ?? []);
  });
  return { tokens: filled, last: given.last };
}

/** Undefined for a body that is no expression, as of a macro that makes a statement. */
function bodyOf({ body }: Macro): Token[] | undefined {
  try {
    return tokenize(body).slice(0, -1);
  } catch {
    return undefined;
  }
}

/** Arguments from the token after `(` on, and the index of the closing parenthesis. */
function argumentsAt(tokens: readonly Token[], first: number): { list: Token[][]; last: number } | undefined {
  const list: Token[][] = [[]];
  let depth = 0;
  for (let index = first; index < tokens.length; index++) {
    const token = tokens[index] as Token;
    if (token.text === ')' && depth === 0) return { list, last: index };
    if (token.text === '(') depth++;
    if (token.text === ')') depth--;
    if (token.text === ',' && depth === 0) list.push([]);
    else list.at(-1)?.push(token);
  }
  return undefined;
}
