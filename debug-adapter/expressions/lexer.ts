/** Tokens of C expressions, with gdb's additions: `$register`, `@`, `'file.c'::name`. */
import { ExpressionError } from './api.ts';

export type Token = {
  /** Columns of its first character and after its last. */
  readonly at: number;
  readonly end: number;
  readonly text: string;
} & (
  | { readonly kind: 'identifier' | 'register' | 'punctuator' | 'end' | 'file' }
  | { readonly kind: 'integer'; readonly value: bigint; readonly decimal: boolean; readonly suffix: string }
  | { readonly kind: 'float'; readonly value: number; readonly single: boolean }
  | { readonly kind: 'character'; readonly value: number }
  | { readonly kind: 'string'; readonly bytes: Uint8Array }
);

/** Longer than anything a person writes, short enough that no pass over it is felt. */
export const MAX_LENGTH = 8192;

const IDENTIFIER = /[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*/y;
const REGISTER = /\$[A-Za-z_]\w*/y;
/** C's preprocessing number, so that `0x12g` is one bad number and not a number and a name. */
const NUMBER = /\.?\d(?:[eEpP][+-]|[\w.])*/y;
const PUNCTUATOR = />>=|<<=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|::|[-+*/%&|^~!<>=?:.,()[\]{}@]/y;
const FILE = /'[^'\n]+'(?=\s*::)/y;
const INTEGER = /^(0[xX][\da-fA-F]+|0[bB][01]+|\d+)([uUlL]*)$/;
const INTEGER_SUFFIX = /^(?:u?(?:ll?)?|(?:ll?)u)$/i;
const FLOAT = /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?([fFlL]?)$/;

/** All tokens and an `end` token; throws ExpressionError at what is no token. */
export function tokenize(source: string): Token[] {
  if (source.length > MAX_LENGTH) {
    throw new ExpressionError(`Expression is longer than ${MAX_LENGTH} characters.`, MAX_LENGTH);
  }
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  while (at < source.length) {
    const character = source.charAt(at);
    if (/\s/.test(character)) {
      at++;
      continue;
    }
    const token = next(source, at, match);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', at: source.length, end: source.length, text: '' });
  return tokens;
}

function next(source: string, at: number, match: (pattern: RegExp) => string | undefined): Token {
  const simple = (kind: 'identifier' | 'register' | 'punctuator' | 'file', text: string): Token => ({
    kind,
    at,
    end: at + text.length,
    text,
  });
  const character = source.charAt(at);
  const number = match(NUMBER);
  if (number) return numberToken(number, at);
  const identifier = match(IDENTIFIER);
  if (identifier) return simple('identifier', identifier);
  if (character === '$') {
    const register = match(REGISTER);
    if (register) return simple('register', register);
    throw new ExpressionError('A register name must follow $.', at);
  }
  if (character === "'") {
    const file = match(FILE);
    return file ? simple('file', file) : characterToken(source, at);
  }
  if (character === '"') return stringToken(source, at);
  const punctuator = match(PUNCTUATOR);
  if (punctuator) return simple('punctuator', punctuator);
  throw new ExpressionError(`Invalid character '${character}' in expression.`, at);
}

function numberToken(text: string, at: number): Token {
  const place = { at, end: at + text.length, text };
  const integer = INTEGER.exec(text);
  if (integer && INTEGER_SUFFIX.test(integer[2] ?? '')) {
    const digits = integer[1] ?? '';
    const octal = /^0\d/.test(digits);
    if (octal && /[89]/.test(digits)) throw new ExpressionError(`Invalid digit in octal number "${text}".`, at);
    const value = BigInt(octal ? `0o${digits.slice(1)}` : digits);
    if (value >> 64n !== 0n) throw new ExpressionError('Numeric constant too large.', at);
    const decimal = !/^0[xXbB\d]/.test(digits);
    return { kind: 'integer', ...place, value, decimal, suffix: (integer[2] ?? '').toLowerCase() };
  }
  const float = FLOAT.exec(text);
  if (float) {
    return { kind: 'float', ...place, value: Number.parseFloat(text), single: /f/i.test(float[1] ?? '') };
  }
  throw new ExpressionError(`Invalid number "${text}".`, at);
}

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  a: 7,
  b: 8,
  f: 12,
  v: 11,
  e: 27,
  '\\': 92,
  "'": 39,
  '"': 34,
  '?': 63,
};

/** The bytes between quotes, escapes resolved, and the column after the closing quote. */
function quoted(source: string, at: number): { bytes: Uint8Array; end: number } {
  const quote = source.charAt(at);
  const bytes: number[] = [];
  let position = at + 1;
  while (source.charAt(position) !== quote) {
    if (position >= source.length) {
      throw new ExpressionError(quote === '"' ? 'Unterminated string in expression.' : 'Unmatched single quote.', at);
    }
    const pattern = /\\(?:([0-7]{1,3})|x([\da-fA-F]{1,2})|([ntrabfve\\'"?]))/y;
    pattern.lastIndex = position;
    const found = pattern.exec(source);
    if (found) {
      const [text, octal, hex, letter] = found;
      if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
      else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
      else bytes.push(SIMPLE_ESCAPES[letter ?? ''] ?? 0);
      position += text.length;
    } else if (source.charAt(position) === '\\') {
      throw new ExpressionError('Unknown escape sequence.', position);
    } else {
      const character = String.fromCodePoint(source.codePointAt(position) ?? 0);
      bytes.push(...new TextEncoder().encode(character));
      position += character.length;
    }
  }
  return { bytes: Uint8Array.from(bytes), end: position + 1 };
}

function characterToken(source: string, at: number): Token {
  const { bytes, end } = quoted(source, at);
  const [value] = bytes;
  if (value === undefined) throw new ExpressionError('Empty character constant.', at);
  if (bytes.length > 1) throw new ExpressionError('A character constant holds one byte.', at);
  return { kind: 'character', at, end, text: source.slice(at, end), value };
}

function stringToken(source: string, at: number): Token {
  const { bytes, end } = quoted(source, at);
  return { kind: 'string', at, end, text: source.slice(at, end), bytes };
}
