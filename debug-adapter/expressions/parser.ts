/** C's expression grammar, C11 6.5, with gdb's `p@10` and `{type} address`. */
import { ExpressionError } from './api.ts';
import type { FindMacro } from './macro-expansion.ts';
import { sameText } from './same-text.ts';
import { sugar } from './sugar.ts';
import type { ArithmeticOperator, BinaryOperator, Node, UnaryOperator } from './syntax.ts';
import { TokenStream } from './token-stream.ts';
import { TypeParser } from './type-parser.ts';

/** Binding strength; `@` binds as in gdb, between shifts and sums. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  '||': 1,
  '&&': 2,
  '|': 3,
  '^': 4,
  '&': 5,
  '==': 6,
  '!=': 6,
  '<': 7,
  '>': 7,
  '<=': 7,
  '>=': 7,
  '<<': 8,
  '>>': 8,
  '@': 9,
  '+': 10,
  '-': 10,
  '*': 11,
  '/': 11,
  '%': 11,
};
const ASSIGNMENT = /^([-+*/%&|^]|<<|>>)?=$/;
const UNARY = new Set(['*', '&', '-', '+', '!', '~']);

/** `isTypedef` decides what `(name)` means; throws ExpressionError for what is no expression. */
export function parseExpression(source: string, isTypedef: (name: string) => boolean, findMacro?: FindMacro): Node {
  const tokens = new TokenStream(source, findMacro);
  if (tokens.peek().kind === 'end') throw new ExpressionError('Expression is empty.', 0);
  const parser = new Parser(tokens, isTypedef);
  const node = parser.expression();
  if (tokens.peek().kind !== 'end') throw tokens.unexpected();
  return node;
}

class Parser {
  private readonly types: TypeParser;

  constructor(
    private readonly tokens: TokenStream,
    isTypedef: (name: string) => boolean,
  ) {
    this.types = new TypeParser(tokens, isTypedef, () => this.conditional());
  }

  expression(): Node {
    let left = this.assignment();
    while (this.tokens.is(',')) {
      const { at } = this.tokens.next();
      left = this.made({ kind: 'binary', operator: ',', left, right: this.assignment(), at });
    }
    return left;
  }

  private made(node: Node): Node {
    this.tokens.count();
    return node;
  }

  private assignment(): Node {
    this.tokens.count();
    const left = this.conditional();
    const token = this.tokens.peek();
    const match = token.kind === 'punctuator' ? ASSIGNMENT.exec(token.text) : undefined;
    if (!match) return left;
    this.tokens.next();
    const operator = match[1] as ArithmeticOperator | undefined;
    const right = this.assignment();
    return this.made({ kind: 'assign', left, right, at: token.at, ...(operator && { operator }) });
  }

  private conditional(): Node {
    const test = this.binary(1);
    const { at } = this.tokens.peek();
    if (!this.tokens.take('?')) return test;
    const then = this.expression();
    this.tokens.expect(':');
    this.tokens.count();
    return this.made({ kind: 'conditional', test, then, otherwise: this.conditional(), at });
  }

  private binary(minimum: number): Node {
    let left = this.unary();
    for (;;) {
      const token = this.tokens.peek();
      const precedence = token.kind === 'punctuator' ? PRECEDENCE[token.text] : undefined;
      if (precedence === undefined || precedence < minimum) return left;
      this.tokens.next();
      const right = this.binary(precedence + 1);
      const node = { kind: 'binary', operator: token.text as BinaryOperator, left, right, at: token.at } as const;
      left = this.made(sameText(node) ?? node);
    }
  }

  private unary(): Node {
    const token = this.tokens.peek();
    this.tokens.count();
    if (token.kind === 'punctuator') {
      if (UNARY.has(token.text)) {
        this.tokens.next();
        return { kind: 'unary', operator: token.text as UnaryOperator, operand: this.unary(), at: token.at };
      }
      if (token.text === '++' || token.text === '--') {
        this.tokens.next();
        return { kind: 'step', by: token.text === '++' ? 1 : -1, prefix: true, operand: this.unary(), at: token.at };
      }
      if (token.text === '{') return this.memory();
      if (token.text === '(' && this.types.starts(1)) return this.cast();
    }
    if (token.kind === 'identifier' && token.text === 'sizeof') return this.sizeOf();
    return this.postfix();
  }

  private memory(): Node {
    const { at } = this.tokens.next();
    const type = this.types.typeName();
    this.tokens.expect('}');
    return { kind: 'memory', type, operand: this.unary(), at };
  }

  private cast(): Node {
    const { at } = this.tokens.next();
    const type = this.types.typeName();
    this.tokens.expect(')');
    return { kind: 'cast', type, operand: this.unary(), at };
  }

  private sizeOf(): Node {
    const { at } = this.tokens.next();
    if (!this.tokens.is('(') || !this.types.starts(1)) return { kind: 'sizeof', of: this.unary(), at };
    this.tokens.next();
    const of = this.types.typeName();
    this.tokens.expect(')');
    return { kind: 'sizeof', of, at };
  }

  private postfix(): Node {
    let object = this.primary();
    for (;;) {
      const { at, text, kind } = this.tokens.peek();
      if (kind !== 'punctuator') return object;
      if (text === '[') {
        this.tokens.next();
        const index = this.expression();
        this.tokens.expect(']');
        object = this.made({ kind: 'index', object, index, at });
      } else if (text === '.' || text === '->') {
        this.tokens.next();
        const member = this.tokens.identifier('the name of a member');
        object = this.made({ kind: 'member', object, name: member.text, at: member.at });
      } else if (text === '++' || text === '--') {
        this.tokens.next();
        object = this.made({ kind: 'step', by: text === '++' ? 1 : -1, prefix: false, operand: object, at });
      } else if (text === '(') {
        this.tokens.next();
        while (!this.tokens.is(')') && this.tokens.peek().kind !== 'end') {
          this.assignment();
          if (!this.tokens.take(',')) break;
        }
        this.tokens.expect(')');
        object = this.made({ kind: 'call', callee: object, at });
      } else {
        return object;
      }
    }
  }

  private primary(): Node {
    const grammar = { expression: () => this.assignment(), typeName: () => this.types.typeName() };
    const sugared = sugar(this.tokens, grammar);
    if (sugared) return sugared;
    const token = this.tokens.peek();
    const { at } = token;
    switch (token.kind) {
      case 'integer':
        this.tokens.next();
        return { kind: 'integer', value: token.value, decimal: token.decimal, suffix: token.suffix, at };
      case 'float':
        this.tokens.next();
        return { kind: 'float', value: token.value, single: token.single, at };
      case 'character':
        this.tokens.next();
        return { kind: 'character', value: token.value, at };
      case 'string':
        return this.string();
      case 'register':
        this.tokens.next();
        return { kind: 'register', name: token.text.slice(1), at };
      case 'file':
        this.tokens.next();
        this.tokens.expect('::');
        return this.scoped(token.text.slice(1, -1), at);
      case 'identifier':
        return this.name();
      case 'punctuator': {
        if (!this.tokens.take('(')) throw this.tokens.unexpected();
        const inner = this.expression();
        this.tokens.expect(')');
        return inner;
      }
      case 'end':
        throw this.tokens.unexpected();
    }
  }

  private name(): Node {
    if (this.types.starts()) throw this.tokens.unexpected('a value expected, this is a type');
    const { text, at } = this.tokens.next();
    return this.tokens.take('::') ? this.scoped(text, at) : { kind: 'name', name: text, at };
  }

  private scoped(scope: string, at: number): Node {
    return { kind: 'name', scope, name: this.tokens.identifier('a name').text, at };
  }

  /** Adjacent strings are one. */
  private string(): Node {
    const { at } = this.tokens.peek();
    const parts: number[] = [];
    for (let token = this.tokens.peek(); token.kind === 'string'; token = this.tokens.peek()) {
      for (const byte of token.bytes) parts.push(byte);
      this.tokens.next();
    }
    return { kind: 'string', bytes: Uint8Array.from(parts), at };
  }
}
