/** Random programs of all arithmetic and stack operations but branches, as values of variables, whose values gdb prints. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ExpressionContext, evaluateNumber } from './expression.ts';
import { randomFrom } from './fixtures/damage.ts';
import { gdb, run, scratch } from './fixtures/toolchain.ts';

const PROGRAMS = 400;
/** Operations in one. */
const LENGTH = 25;

const random = randomFrom(20_26);
const bytes = (count: number) => Array.from({ length: count }, () => random(256));

const lit = (below: number) => 0x30 + random(below);
const unary = [0x19, 0x1f, 0x20, 0x96];
const binary = [0x1a, 0x1c, 0x1e, 0x21, 0x22, 0x27, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e];
const divisions = [0x1b, 0x1d];
const shifts = [0x24, 0x25, 0x26];
const one = (from: readonly number[]) => from[random(from.length)] as number;

/** A constant of each form, of any size. */
const constant = (): number[] => {
  const form = random(10);
  if (form < 8) return [0x08 + form, ...bytes(1 << (form >> 1))];
  return form === 8 ? [0x10, 0x80 + random(128), random(128)] : [0x11, 0x80 + random(128), random(128)];
};

/** What pushes, takes and leaves what is there, by how deep the stack has to be. */
const steps: readonly { readonly needs: number; readonly leaves: number; make(): number[] }[] = [
  { needs: 0, leaves: 1, make: constant },
  { needs: 0, leaves: 1, make: () => [lit(32)] },
  { needs: 1, leaves: 2, make: () => [0x12] },
  { needs: 2, leaves: 1, make: () => [0x13] },
  { needs: 2, leaves: 3, make: () => [0x14] },
  { needs: 3, leaves: 4, make: () => [0x15, random(3)] },
  { needs: 2, leaves: 2, make: () => [0x16] },
  { needs: 3, leaves: 3, make: () => [0x17] },
  { needs: 1, leaves: 1, make: () => [one(unary)] },
  { needs: 1, leaves: 1, make: () => [0x23, 0x80 + random(128), random(128)] },
  { needs: 2, leaves: 1, make: () => [one(binary)] },
  { needs: 2, leaves: 1, make: () => [one(binary)] },
  { needs: 1, leaves: 1, make: () => [0x31 + random(31), one(divisions)] },
  { needs: 1, leaves: 1, make: () => [lit(32), one(shifts)] },
  // Over a constant. Where two ways meet, behind a conditional branch, gdb 13 ends in a fault of its own.
  { needs: 1, leaves: 1, make: () => [0x2f, 2, 0, 0x08, random(256)] },
];

function randomProgram(): number[] {
  const program = constant();
  let depth = 1;
  for (let step = 0; step < LENGTH; step++) {
    const possible = steps.filter(({ needs }) => needs <= depth);
    const { needs, leaves, make } = possible[random(possible.length)] as (typeof steps)[number];
    program.push(...make());
    depth += leaves - needs;
  }
  return [...program, 0x9f];
}

/** One unit with variables that live nowhere but are what the programs come to. DWARF 4. */
const assembly = (programs: readonly (readonly number[])[]) => `
.globl _start
_start: hlt
.section .debug_abbrev
.uleb128 1, 0x11; .byte 1; .uleb128 0x03, 0x08, 0, 0
.uleb128 2, 0x24; .byte 0; .uleb128 0x03, 0x08, 0x0b, 0x0b, 0x3e, 0x0b, 0, 0
.uleb128 3, 0x34; .byte 0; .uleb128 0x03, 0x08, 0x49, 0x13, 0x3f, 0x19, 0x02, 0x18, 0, 0
.byte 0
.section .debug_info
unit: .long end - begin
begin: .short 4; .long 0; .byte 8
.uleb128 1; .asciz "programs.c"
type: .uleb128 2; .asciz "unsigned long"; .byte 8, 7
${programs
  .map(
    (program, index) =>
      `.uleb128 3; .asciz "v${index}"; .long type - unit; .uleb128 ${program.length}; .byte ${program.join()}`,
  )
  .join('\n')}
.byte 0
end:
`;

const context: ExpressionContext = {
  addressSize: 8,
  offsetSize: 4,
  read: () => assert.fail('no program reads'),
  register: () => assert.fail('no program has registers'),
  registerName: () => undefined,
  frameBase: () => assert.fail('there is no frame'),
  callFrameAddress: () => assert.fail('there is no frame'),
  entryValue: () => assert.fail('there is no frame'),
  imageAddress: (address) => address,
  indexedAddress: () => assert.fail('there is no table'),
  baseType: () => undefined,
  procedure: () => undefined,
};

test('random programs come to what gdb says', async () => {
  const programs = Array.from({ length: PROGRAMS }, randomProgram);
  const [source, image] = [scratch('programs.S'), scratch('programs')];
  writeFileSync(source, assembly(programs));
  run('gcc', ['-nostdlib', '-static', '-o', image, source]);
  const said = gdb(
    image,
    programs.map((_, index) => `print v${index}`),
  );
  const theirs = [...said.matchAll(/^\$\d+ = (\d+)$/gm)].map(([, value = '']) => BigInt(value));
  assert.equal(theirs.length, PROGRAMS, said.slice(-500));
  const ours = await Promise.all(programs.map((program) => evaluateNumber(Uint8Array.from(program), context)));
  assert.deepEqual(ours, theirs);
  assert.ok(new Set(theirs).size > PROGRAMS / 4, 'they are not all the same');
});
