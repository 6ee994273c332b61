import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiledKernel, disassembled, imageOf } from '../../test/core/compiled-kernel.ts';
import { callSites, openCallSites } from './call-sites.ts';

/** VMCALL and VMMCALL among code, as the operand of other instructions, and in data. */
const source = `
int work(int n) { int sum = 0; for (int i = 0; i < n; i++) sum += i * n; return sum; }
long call_intel(long number) { long result; __asm__ volatile("vmcall" : "=a"(result) : "a"(number)); return result; }
long call_amd(long number) { long result; __asm__ volatile("vmmcall" : "=a"(result) : "a"(number)); return result; }
int operand(void) { int value; __asm__ volatile("movl $0xc1010f, %0" : "=r"(value)); return value + work(3); }
long wide(void) { long value; __asm__ volatile("movabsq $0xd9010fd9010f, %0" : "=r"(value)); return value; }
const unsigned char data[] = { 0x0f, 0x01, 0xc1, 0x0f, 0x01, 0xd9 };
void _start(void) { work(data[0]); call_intel(1); call_amd(2); operand(); wide(); }
`;

test('the call sites of a kernel are the instructions that objdump sees', () => {
  const file = compiledKernel(source);
  const { segments } = imageOf(file);
  const found = segments.flatMap((segment) => callSites(segment).map((at) => segment.gpa + BigInt(at)));
  assert.ok(found.length >= 2);
  assert.deepEqual(found, disassembled(file, /^vmm?call/));
});

test('opened sites are OUT and NOP, the file stays as it was, and nothing else changes', () => {
  const file = compiledKernel(source);
  const before = Buffer.from(file);
  const original = imageOf(file);
  const { image: opened, sites } = openCallSites(original);
  assert.equal(sites, disassembled(file, /^vmm?call/).length);
  assert.deepEqual(file, before);
  opened.segments.forEach(({ bytes }, index) => {
    const old = original.segments[index]!;
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== old.bytes[at]);
    assert.equal(changed.length, 3 * callSites(old).length);
  });
});

test('whatever the bytes and ranges are, it ends without an error', () => {
  const piece = fc.constantFrom([0x0f, 0x01, 0xc1], [0x0f, 0x01, 0xd9], [0x0f], [0x48], [0xe8, 1], [0x90]);
  const range = fc.record({ start: fc.nat(40), end: fc.nat(400) });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), range, (pieces, bounds) => {
      const bytes = Uint8Array.from(pieces.flat());
      for (const at of callSites({ gpa: 0n, name: 'x', bytes, code: { bits: 64, ranges: [bounds] } })) {
        assert.ok(at >= bounds.start && at + 3 <= bytes.length);
      }
    }),
    { numRuns: 100 },
  );
});
