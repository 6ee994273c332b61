import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiledKernel, disassembled, imageOf } from '../../test/core/compiled-kernel.ts';
import { controlWrites } from './control-writes.ts';

/** Writes of every kind among code, reads, writes of CR2, the bytes as operands of other instructions, and as data. */
const source = `
int work(int n) { int sum = 0; for (int i = 0; i < n; i++) sum += i * n; return sum; }
void plain(long value) { __asm__ volatile("mov %0, %%cr0; mov %0, %%cr3; mov %0, %%cr4" :: "a"(value)); }
void extended(void) { __asm__ volatile("mov %r9, %cr3; mov %rdx, %cr8; mov %r15, %cr8; mov %rax, %cr2"); }
long reads(void) { long value; __asm__ volatile("mov %%cr3, %0; mov %%cr0, %0; smsw %0" : "=r"(value)); return value; }
void others(short word) { __asm__ volatile("clts; lmsw %0; lmsw (%%rsp); swapgs; swapgs" :: "r"(word)); }
int operand(void) { int value; __asm__ volatile("movl $0xd8220f, %0" : "=r"(value)); return value + work(3); }
long wide(void) { long value; __asm__ volatile("movabsq $0xd8220fe0220f, %0" : "=r"(value)); return value; }
const unsigned char data[] = { 0x0f, 0x22, 0xd8, 0x0f, 0x06 };
void _start(void) { work(data[0]); plain(1); extended(); reads(); others(1); operand(); wide(); }
`;

const ALL = new Set(['cr0', 'cr3', 'cr4', 'cr8']);

function code(file: Buffer) {
  return imageOf(file).segments.flatMap(({ gpa, bytes, code }) =>
    (code?.ranges ?? []).map(({ start, end }) => ({
      bytes: bytes.subarray(start, end),
      bits: 64 as const,
      gpa: Number(gpa) + start,
      gvas: [gpa + BigInt(start), 0xffff_8000_0000_0000n + gpa + BigInt(start)],
    })),
  );
}

test('the writes of control registers are the instructions that objdump sees', () => {
  const file = compiledKernel(source);
  const pieces = code(file);
  for (const [register, text] of [
    ['cr0', /^(mov .*,%cr0|clts|lmsw)/],
    ['cr3', /^mov .*,%cr3/],
    ['cr4', /^mov .*,%cr4/],
    ['cr8', /^mov .*,%cr8/],
  ] as const) {
    const found = controlWrites(pieces, new Set([register]));
    const expected = disassembled(file, text);
    assert.ok(expected.length > 0);
    assert.deepEqual(found.map(({ gpa }) => BigInt(gpa)).sort(), expected.sort(), register);
    assert.ok(found.every((write) => write.register === register && write.gvas.length === 2));
  }
  const sources = controlWrites(pieces, ALL).flatMap(({ source }) => source ?? []);
  assert.deepEqual(sources.sort(), ['r15', 'r9', 'rax', 'rax', 'rax', 'rdx']);
});

test('whatever the bytes are, it ends without an error and finds a bounded number', () => {
  const piece = fc.constantFrom(
    [0x0f, 0x22, 0xd8],
    [0x0f, 0x06],
    [0x0f, 0x01, 0xf0],
    [0x0f],
    [0x44],
    [0xe8, 1],
    [0x90],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom(16, 32, 64), (pieces, bits) => {
      const bytes = Uint8Array.from(pieces.flat());
      for (const { gpa, bytes: there } of controlWrites([{ bytes, bits, gpa: 0, gvas: [0n] }], ALL)) {
        assert.deepEqual(bytes.subarray(gpa, gpa + there.length), there);
      }
    }),
    { numRuns: 200 },
  );
  const many = Uint8Array.from({ length: 6000 }, (_, at) => [0x0f, 0x22, 0xd8][at % 3] ?? 0);
  assert.equal(controlWrites([{ bytes: many, bits: 64, gpa: 0, gvas: [0n] }], ALL).length, 512);
});
