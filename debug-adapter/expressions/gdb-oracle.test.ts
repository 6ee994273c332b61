/** Values, types and texts against gdb's `print` and `whatis` on a compiled program that does not run. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compilers } from '../symbols/fixtures/toolchain.ts';
import { type OpenSymbols, openSymbols } from '../symbols/symbols.ts';
import type { EvaluationContext } from './api.ts';
import { createExpressions } from './expressions.ts';
import { fakeContext } from './fake-context.ts';
import { type GdbAnswer, gdbAnswers, gdbCommands, normalText, normalType } from './gdb-text.ts';
import { compileProgram, run, segmentsOf } from './test-program.ts';

const SOURCE = `
typedef unsigned long word_t;
typedef struct node node_t;
enum color { RED, GREEN = 5, BLUE, DARK = -1 };
enum flags { READ = 1, WRITE = 2, EXECUTE = 8 };
struct node { int value; struct node *next; char name[8]; const char *label; };
struct bits { unsigned a : 3; int b : 5; unsigned long long c : 40; unsigned d : 1; _Bool e : 1; enum color f : 4; };
union number { int i; float f; unsigned char bytes[4]; };
struct nested { int x; union { int y; float z; }; struct { short p, q; }; struct { struct bits inner; } named; };
struct flexible { int count; int data[]; };

unsigned long ul = 5; word_t word = 6; long long ll = -7; unsigned char uc = 200; signed char sc = -3; char c = 'A';
_Bool yes = 1; short sh = -2; unsigned short us = 3; unsigned int big = 0xffffffffu; volatile int vi = -9;
const char cc = 'z'; char quote = '\\''; char newline = '\\n';
enum color color = GREEN, dark = DARK, odd = 3;
enum flags flags = READ | EXECUTE, some = READ | 0x40, none = 0, unknown = 0x40;
struct node second = { 2, 0, "two", "label" }, first = { 1, &second, "one", 0 };
struct node nodes[3] = { { 1, &first, "a", "la" }, { 2, 0, "b", 0 } };
struct node *pointer = &first, **handle = &pointer;
node_t *typed = &second;
struct bits bits = { 5, -3, 0x123456789aUL, 1, 1, DARK };
union number number = { .f = 1.5f };
struct nested nested = { 1, { 0x40200000 }, { 3, 4 }, { { 7, 1, 2, 0, 0, BLUE } } };
struct flexible flexible = { 2, { 7, 8 } };
int array[5] = { 1, 2, 3, 4, 5 }, zeros[50], matrix[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
int runs[30] = { 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2 };
char *message = "hello \\"w\\"\\n\\t\\001end"; char buffer[16] = "abc\\0def"; unsigned char bytes[4] = { 1, 2, 0xff, 0 };
int add(int a, int b) { static int calls = 42; return a + b + calls++; }
int (*function)(int, int) = add; int (*table[2])(int, int) = { add, 0 };
void *opaque = array; int *element = &array[2]; int (*whole)[5] = &array; int *pointers[2] = { array, array + 4 };
float single = 0.1f; double twice = 0.1, huge = -1e300; long double extended = 3.25L;
struct { int k; } unnamed = { 3 };
struct incomplete *incomplete = (void *)0x1234;
#ifdef __LP64__
unsigned __int128 wide = ((unsigned __int128)1 << 100) + 7;
#else
unsigned long long wide = 7;
#endif
int main(void) { return add(1, 2) + unnamed.k; }
`;

const EXPRESSIONS =
  `ul; word; ll; uc; sc; c; yes; sh; us; big; vi; cc; quote; newline; color; dark; odd; flags; some; none; unknown
first; second; nodes; nodes[1]; nodes[1].name; nodes[0].label; pointer; *pointer; handle; *handle; **handle; (*handle)->next->label
pointer->next->value; pointer->name[1]; *pointer->next; &pointer->next->value; &first; &first.name; &nodes[2]; *nodes@2; typed; typed->name
bits; bits.a; bits.b; bits.c; bits.d; bits.e; bits.f; -bits.b; number; number.f; number.bytes; number.bytes[3]
nested; nested.y; nested.q; nested.named.inner.f; nested.named; flexible; flexible.data; flexible.data[1]; *flexible.data@2
array; array[3]; *array; *(array + 2); array + 1; &array; &array[1]; &array[4] - array; &array[1] < &array[2];
zeros; runs; matrix; matrix[1]; matrix[1][2]; *matrix; **matrix; matrix + 1; &matrix[1][1] - &matrix[0][0]; *matrix[1]@2
message; *message; message[6]; message + 6; buffer; &buffer; buffer + 4; bytes; bytes[2]
add; &add; *add; main; function; *function; table; table[1]; function == add; opaque; element; *element; element[-1]; element[1]
whole; *whole; (*whole)[3]; whole + 1; pointers; *pointers[1]; pointers[1] - pointers[0]; single; twice; huge; extended; unnamed; unnamed.k
incomplete; wide; sizeof(first); sizeof first.name; sizeof(struct node *); sizeof(int[10]); sizeof array / sizeof *array
(struct node *)opaque; ((struct node *)&nodes[1])->value; (char)65; (unsigned char)300; (long)array; (int *)0; (void *)&first; (enum color)5
(enum flags)3; {int}&array[1]; {struct node}&second; {char[4]}&buffer; *(long *)array; (char *)&first.name; *(unsigned short *)&bytes[1]
GREEN; GREEN + 1; color == GREEN; flags & EXECUTE; uc + uc; ~uc; !c; -big; big + 1; big * 2UL; sc >> 1; c + 1; sh / us
pointer && pointer->next; pointer->next->next; !pointer->next->next; color ? 10 : 20; (1, 2); add::calls; 'program.c'::array; (unsigned long)&array % 8 == 0
1.5 + single; twice * 2; (int)huge == (int)huge; (float)ul; pointer == &first; pointer != handle; opaque + 4; sizeof(word_t); (word_t)-1`.split(
    /;\s*|\n/,
  );

/** Our format suffixes for gdb's. */
const RADIXES = ['x', 'o'];
const IN_RADIX = 'uc; sc; ll; array; matrix; first.value; flags; big; pointer; number.bytes; c; yes; bits.c'.split(
  '; ',
);

/** Compilers, DWARF versions and data models. */
const BUILDS: readonly (readonly string[])[] = [
  ['gcc', '-gdwarf-5'],
  ['clang', '-gdwarf-5'],
  ['gcc', '-gdwarf-4', '-m32'],
];

const expressions = createExpressions({ characters: 5000, elements: 200, depth: 20, strings: 100 });

function askGdb(program: string): Map<string, GdbAnswer> {
  const all = [
    ...EXPRESSIONS.map((expression) => ['', expression] as const),
    ...RADIXES.flatMap((radix) => IN_RADIX.map((expression) => [`/${radix}`, expression] as const)),
  ];
  const commands = all.flatMap(([format, expression]) => gdbCommands(expression, format));
  const settings = ['set print repeats 10', 'set width 0', 'set language c'];
  const args = [...settings, ...commands].flatMap((command) => ['-ex', command]);
  return gdbAnswers(run('gdb', '-batch', '-nx', ...args, program));
}

for (const build of BUILDS as readonly [string, ...string[]][]) {
  const missing = compilers.some((each) => each === build[0]) ? false : `no ${build[0]}`;
  describe(build.join(' '), { skip: missing }, () => {
    let folder: string;
    let symbols: OpenSymbols;
    let context: EvaluationContext;
    let answers: Map<string, GdbAnswer>;
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'ringside-gdb-'));
      const program = compileProgram(folder, SOURCE, build);
      symbols = await openSymbols(program);
      context = { ...fakeContext({ memory: segmentsOf(program) }), symbols };
      answers = askGdb(program);
    });

    after(() => {
      symbols.close();
      rmSync(folder, { recursive: true, force: true });
    });

    describe('print and whatis', () => {
      for (const expression of EXPRESSIONS) {
        test(expression, async () => {
          const expected = answers.get(expression);
          assert.ok(expected && expected.text !== '', `gdb does not answer ${expression}`);
          const value = await expressions.evaluate(expression, context);
          const { text, type } = await expressions.format(value, context);
          assert.equal(normalText(text), normalText(expected.text));
          if (isKnown(expression)) assert.equal(normalType(type), normalType(expected.type));
        });
      }
      /** gdb 13 takes sizeof for an int when it only wants the type, and has none for a dereferenced function. */
      const isKnown = (expression: string) => !/^sizeof|^\*add$/.test(expression);
    });

    describe('print with a radix', () => {
      for (const radix of RADIXES) {
        for (const expression of IN_RADIX) {
          test(`${expression},${radix}`, async () => {
            const expected = answers.get(`/${radix} ${expression}`);
            assert.ok(expected);
            const split = expressions.splitFormat(`${expression},${radix}`);
            const value = await expressions.evaluate(split.source, context);
            const { text } = await expressions.format(value, context, split.format);
            assert.equal(text, expected.text);
          });
        }
      }
    });

    describe('children', () => {
      /** Every child's evaluateName leads back to the child. */
      const walk = async (expression: string, depth: number): Promise<number> => {
        const value = await expressions.evaluate(expression, context);
        const shown = await expressions.format(value, context);
        const children = await expressions.children(value, context, 0, shown.children);
        assert.equal(children.length, shown.children, expression);
        let count = children.length;
        for (const child of children) {
          const again = await expressions.evaluate(child.value.expression, context);
          const [one, other] = await Promise.all([
            expressions.format(child.value, context),
            expressions.format(again, context),
          ]);
          assert.deepEqual(other, one, child.value.expression);
          if (depth > 0) count += await walk(child.value.expression, depth - 1);
        }
        return count;
      };
      for (const root of [
        'nodes',
        'pointer',
        'handle',
        'nested',
        'bits',
        'matrix',
        'whole',
        'number',
        '*(nodes + 1)',
        '(struct node *)opaque',
        '{struct node}&first',
      ]) {
        test(`of ${root} have expressions that lead to them`, async () => {
          assert.ok((await walk(root, 3)) > 1);
        });
      }
    });
  });
}
