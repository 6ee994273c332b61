/** The tokens of one expression with a cursor, and the limits that keep hostile input from nesting without end. */
import { ExpressionError } from './api.ts';
import { type Token, tokenize } from './lexer.ts';
import { expandMacros, type FindMacro } from './macro-expansion.ts';

/** Evaluation recurses once per tree level, and a chain of operators is as deep as it is long. */
const MAX_NODES = 1000;

export class TokenStream {
  private readonly tokens: readonly Token[];
  private position = 0;
  private nodes = 0;

  constructor(source: string, findMacro: FindMacro = () => undefined) {
    this.tokens = expandMacros(tokenize(source), findMacro);
  }

  peek(ahead = 0): Token {
    const index = Math.min(this.position + ahead, this.tokens.length - 1);
    return this.tokens[index] as Token;
  }

  next(): Token {
    const token = this.peek();
    this.position++;
    return token;
  }

  is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return (token.kind === 'punctuator' || token.kind === 'identifier') && token.text === text;
  }

  take(text: string): boolean {
    if (!this.is(text)) return false;
    this.position++;
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) throw this.unexpected(`'${text}' expected`);
  }

  identifier(what: string): Token {
    if (this.peek().kind !== 'identifier') throw this.unexpected(`${what} expected`);
    return this.next();
  }

  unexpected(expected?: string): ExpressionError {
    const token = this.peek();
    const where = token.kind === 'end' ? 'at the end of the expression' : `near '${token.text.slice(0, 40)}'`;
    return new ExpressionError(`A syntax error in expression, ${where}${expected ? `: ${expected}` : ''}.`, token.at);
  }

  /** Counts a node, or a level of nesting, against the limit. */
  count(): void {
    if (++this.nodes > MAX_NODES) throw new ExpressionError('Expression is too complex.', this.peek().at);
  }
}
