import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ExpressionError } from './api.ts';
import { parseExpression } from './parser.ts';
import type { Node, TypeNode } from './syntax.ts';

const parse = (source: string) => parseExpression(source, (name) => name === 'size_t' || name === 'task_t');

/** A tree as fully parenthesized text. */
function show(node: Node | TypeNode): string {
  switch (node.kind) {
    case 'name':
      return node.scope === undefined ? node.name : `${node.scope}::${node.name}`;
    case 'register':
      return `$${node.name}`;
    case 'integer':
    case 'float':
    case 'character':
      return `${node.value}`;
    case 'string':
      return JSON.stringify(new TextDecoder().decode(node.bytes));
    case 'unary':
      return `(${node.operator}${show(node.operand)})`;
    case 'step':
      return node.prefix ? `(${node.by}+${show(node.operand)})` : `(${show(node.operand)}+${node.by})`;
    case 'binary':
      return `(${show(node.left)} ${node.operator} ${show(node.right)})`;
    case 'assign':
      return `(${show(node.left)} ${node.operator ?? ''}= ${show(node.right)})`;
    case 'conditional':
      return `(${show(node.test)} ? ${show(node.then)} : ${show(node.otherwise)})`;
    case 'cast':
      return `(<${show(node.type)}> ${show(node.operand)})`;
    case 'memory':
      return `{${show(node.type)}}${show(node.operand)}`;
    case 'sizeof':
      return `sizeof<${show(node.of)}>`;
    case 'index':
      return `${show(node.object)}[${show(node.index)}]`;
    case 'member':
      return `${show(node.object)}.${node.name}`;
    case 'list':
      return `list ${show(node.head)} of ${show(node.type)} at ${show(node.offset)}`;
    case 'call':
      return `${show(node.callee)}()`;
    case 'named-type':
      return node.words.join(' ');
    case 'tagged-type':
      return `${node.tag} ${node.name}`;
    case 'typeof-type':
      return `typeof ${show(node.of)}`;
    case 'pointer-type':
      return `pointer to ${show(node.target)}`;
    case 'array-type':
      return `array ${node.count ? show(node.count) : ''} of ${show(node.element)}`;
    case 'function-type':
      return `function (${node.parameters.map(show).join(', ')}${node.variadic ? '...' : ''}) returning ${show(node.returns)}`;
    case 'qualified-type':
      return `${node.qualifier} ${show(node.target)}`;
  }
}

describe('expressions', () => {
  const trees: readonly [string, string][] = [
    ['a + b * c - d', '((a + (b * c)) - d)'],
    ['a == b & c | d ^ e', '(((a == b) & c) | (d ^ e))'],
    ['a || b && c', '(a || (b && c))'],
    ['a << 1 + 2', '(a << (1 + 2))'],
    ['a ? b : c ? d : e', '(a ? b : (c ? d : e))'],
    ['a = b += c', '(a = (b += c))'],
    ['a, b = 1', '(a , (b = 1))'],
    ['*p++', '(*(p+1))'],
    ['-~!x', '(-(~(!x)))'],
    ['&a[1].b->c', '(&a[1].b.c)'],
    ['*p@n+1', '((*p) @ (n + 1))'],
    ['sizeof x + 1', '(sizeof<x> + 1)'],
    ['sizeof(int) * 2', '(sizeof<int> * 2)'],
    ['sizeof (x)[1]', 'sizeof<x[1]>'],
    ['(task_t *)p + 1', '((<pointer to task_t> p) + 1)'],
    ['(size_t)-1', '(<size_t> (-1))'],
    ['(x)-1', '(x - 1)'],
    ['{unsigned long}$rsp', '{unsigned long}$rsp'],
    ["'main.c'::count", 'main.c::count'],
    ['start::count', 'start::count'],
    ['0x10UL + 017 + 0b11', '((16 + 15) + 3)'],
    ["'A' + '\\n' + '\\x41' + '\\101' + '\\''", '((((65 + 10) + 65) + 65) + 39)'],
    ['"a\\tb" "c"', '"a\\tbc"'],
    ['f(a, b)(c)', 'f()()'],
  ];
  for (const [source, tree] of trees) test(source, () => assert.equal(show(parse(source)), tree));
});

describe('type names', () => {
  const types: readonly [string, string][] = [
    ['struct task *', 'pointer to struct task'],
    ['const char *const', 'const pointer to const char'],
    ['unsigned long int', 'unsigned long int'],
    ['char *[4]', 'array 4 of pointer to char'],
    ['char (*)[4]', 'pointer to array 4 of char'],
    ['int (*)(void *, size_t)', 'pointer to function (pointer to void, size_t) returning int'],
    ['void (*(*)[2])(void)', 'pointer to array 2 of pointer to function () returning void'],
    ['int (*)(const char *, ...)', 'pointer to function (pointer to const char...) returning int'],
    ['int[2][3]', 'array 2 of array 3 of int'],
    ['typeof(x) *', 'pointer to typeof x'],
    ['long const volatile', 'volatile const long'],
  ];
  for (const [source, tree] of types) {
    test(source, () => assert.equal(show(parse(`sizeof(${source})`)), `sizeof<${tree}>`));
  }
});

describe('errors point to their column', () => {
  const errors: readonly [string, RegExp, number][] = [
    ['', /empty/, 0],
    ['a +', /at the end/, 3],
    ['a b', /near 'b'/, 2],
    ['a[1', /']' expected/, 3],
    ['(a', /'\)' expected/, 2],
    ['a.1', /near '.1'/, 1],
    ['a->', /name of a member/, 3],
    ['1 + 0x', /Invalid number "0x"/, 4],
    ['12abc', /Invalid number/, 0],
    ['089', /octal/, 0],
    ['18446744073709551616', /too large/, 0],
    ['"abc', /Unterminated/, 0],
    ["'a", /Unmatched single quote/, 0],
    ["''", /Empty character/, 0],
    ['a # b', /Invalid character '#'/, 2],
    ['$', /register name/, 0],
    ['int', /is a type/, 0],
    ['(struct)1', /name of the struct/, 7],
  ];
  for (const [source, message, column] of errors) {
    test(source || 'nothing', () => {
      assert.throws(
        () => parse(source),
        (error: Error) => {
          assert.ok(error instanceof ExpressionError);
          assert.match(error.message, message);
          assert.equal(error.column, column);
          return true;
        },
      );
    });
  }
});

describe('hostile input', () => {
  const onlyExpressionErrors = (source: string) => {
    try {
      parse(source);
    } catch (error) {
      assert.ok(error instanceof ExpressionError, `${error}`);
      assert.ok(error.column >= 0 && error.column <= source.length);
    }
  };

  test('any text is parsed or refused', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), onlyExpressionErrors), { numRuns: 2000 });
  });

  test('any sequence of tokens is parsed or refused', () => {
    const token = fc.constantFrom(
      ...'( ) [ ] { } * & + - ! ~ ++ -- -> . , ? : = += <<= @ :: sizeof struct int unsigned const typeof ... size_t a b 1 0x2u 1.5f \'c\' "s" $rip'.split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 60 }), (tokens) => onlyExpressionErrors(tokens.join(' '))),
      { numRuns: 5000 },
    );
  });

  for (const repeated of [
    '(',
    '*',
    '-',
    '[',
    '{int',
    'a[',
    'sizeof ',
    '1+',
    'a?',
    'a?1:',
    'a=',
    '(int(',
    '(int)',
    'int(*',
    'f(',
    'a.b',
    '!',
    '"x"',
  ]) {
    test(`${repeated} many times`, () => {
      for (const length of [10, 1000, 100_000]) onlyExpressionErrors(repeated.repeat(length));
      onlyExpressionErrors(`sizeof(${repeated.repeat(1000)}`);
    });
  }
});
