/** Type names, C11 6.7.7: specifiers and qualifiers, then an abstract declarator. */
import type { Node, TypeNode } from './syntax.ts';
import type { TokenStream } from './token-stream.ts';

const SPECIFIERS = new Set(
  'void char short int long float double signed unsigned __signed__ _Bool bool __int128'.split(' '),
);
const TAGS = new Set(['struct', 'union', 'enum', 'class']);
const QUALIFIERS: Readonly<Record<string, 'const' | 'volatile' | 'restrict' | 'atomic'>> = {
  const: 'const',
  volatile: 'volatile',
  restrict: 'restrict',
  __restrict: 'restrict',
  _Atomic: 'atomic',
};
const TYPEOF = new Set(['typeof', '__typeof__', '__typeof']);

type Declarator = (base: TypeNode) => TypeNode;

export class TypeParser {
  constructor(
    private readonly tokens: TokenStream,
    /** Whether a name stands for a typedef here, and not for a variable. */
    private readonly isTypedef: (name: string) => boolean,
    private readonly expression: () => Node,
  ) {}

  /** Whether the token `ahead` starts a type name. */
  starts(ahead = 0): boolean {
    const token = this.tokens.peek(ahead);
    if (token.kind !== 'identifier') return false;
    const { text } = token;
    if (SPECIFIERS.has(text) || TAGS.has(text) || Object.hasOwn(QUALIFIERS, text) || TYPEOF.has(text)) return true;
    return this.isTypedef(text);
  }

  typeName(): TypeNode {
    const base = this.specifiers();
    return this.declarator()(base);
  }

  private specifiers(): TypeNode {
    const { at } = this.tokens.peek();
    const qualifiers: ('const' | 'volatile' | 'restrict' | 'atomic')[] = [];
    const words: string[] = [];
    let base: TypeNode | undefined;
    for (;;) {
      const token = this.tokens.peek();
      if (token.kind !== 'identifier') break;
      const qualifier = Object.hasOwn(QUALIFIERS, token.text) ? QUALIFIERS[token.text] : undefined;
      if (qualifier) {
        this.tokens.next();
        qualifiers.push(qualifier);
      } else if (base) {
        break;
      } else if (SPECIFIERS.has(token.text)) {
        words.push(this.tokens.next().text);
      } else if (words.length === 0 && TAGS.has(token.text)) {
        base = this.tagged();
      } else if (words.length === 0 && TYPEOF.has(token.text)) {
        base = this.typeOf();
      } else if (words.length === 0) {
        base = { kind: 'named-type', words: [this.tokens.next().text], at: token.at };
      } else {
        break;
      }
      this.tokens.count();
    }
    if (!base && words.length === 0) throw this.tokens.unexpected('a type name expected');
    base ??= { kind: 'named-type', words, at };
    return qualifiers.reduce<TypeNode>(
      (target, qualifier) => ({ kind: 'qualified-type', qualifier, target, at }),
      base,
    );
  }

  private tagged(): TypeNode {
    const { text, at } = this.tokens.next();
    const { text: name } = this.tokens.identifier(`the name of the ${text}`);
    return { kind: 'tagged-type', tag: text === 'class' ? 'struct' : (text as 'struct' | 'union' | 'enum'), name, at };
  }

  private typeOf(): TypeNode {
    const { at } = this.tokens.next();
    this.tokens.expect('(');
    const of = this.starts() ? this.typeName() : this.expression();
    this.tokens.expect(')');
    return { kind: 'typeof-type', of, at };
  }

  private declarator(): Declarator {
    this.tokens.count();
    const { at } = this.tokens.peek();
    if (!this.tokens.take('*')) return this.directDeclarator();
    const wrap: Declarator[] = [(target) => ({ kind: 'pointer-type', target, at })];
    for (;;) {
      const { text } = this.tokens.peek();
      const qualifier = Object.hasOwn(QUALIFIERS, text) ? QUALIFIERS[text] : undefined;
      if (!qualifier) break;
      this.tokens.count();
      this.tokens.next();
      wrap.push((target) => ({ kind: 'qualified-type', qualifier, target, at }));
    }
    const rest = this.declarator();
    return (base) => rest(wrap.reduce((type, each) => each(type), base));
  }

  private directDeclarator(): Declarator {
    let inner: Declarator = (base) => base;
    if (this.tokens.is('(') && (this.tokens.is('*', 1) || this.tokens.is('(', 1) || this.tokens.is('[', 1))) {
      this.tokens.next();
      inner = this.declarator();
      this.tokens.expect(')');
    }
    const suffix = this.suffixes();
    return (base) => inner(suffix(base));
  }

  /** `[4]`, `(void *, int)` and any sequence of them: the first is the outermost. */
  private suffixes(): Declarator {
    const { at } = this.tokens.peek();
    if (this.tokens.take('[')) {
      this.tokens.count();
      const count = this.tokens.is(']') ? undefined : this.expression();
      this.tokens.expect(']');
      const rest = this.suffixes();
      return (base) => ({ kind: 'array-type', element: rest(base), at, ...(count && { count }) });
    }
    if (this.tokens.take('(')) {
      this.tokens.count();
      const { parameters, variadic } = this.parameters();
      const rest = this.suffixes();
      return (base) => ({ kind: 'function-type', returns: rest(base), parameters, variadic, at });
    }
    return (base) => base;
  }

  private parameters(): { parameters: TypeNode[]; variadic: boolean } {
    const parameters: TypeNode[] = [];
    if (this.tokens.take(')')) return { parameters, variadic: false };
    if (this.tokens.is('void') && this.tokens.is(')', 1)) {
      this.tokens.next();
      this.tokens.next();
      return { parameters, variadic: false };
    }
    do {
      if (this.tokens.take('...')) {
        this.tokens.expect(')');
        return { parameters, variadic: true };
      }
      parameters.push(this.typeName());
    } while (this.tokens.take(','));
    this.tokens.expect(')');
    return { parameters, variadic: false };
  }
}
