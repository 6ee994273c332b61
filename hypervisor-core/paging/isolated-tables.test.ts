import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { kernelTables } from './isolated-tables.ts';
import { inUpperHalf, type PagingState } from './paging-mode.ts';
import { withReads } from './reads.ts';

const NX = 1n << 63n;
/** As user code has it: with an ASID, and the upper of the two root tables. */
const user: PagingState = { cr0: 1n << 31n, cr3: 0x3803n, cr4: 1n << 5n, efer: 0xd00n };

/** Two root tables from 0x2000 on, with what they map for users. */
function tables(kernel: Record<number, bigint>, theirs: Record<number, bigint>): Buffer {
  const bytes = Buffer.alloc(0x4000);
  for (const [index, entry] of Object.entries(kernel)) bytes.writeBigUInt64LE(entry, 0x2000 + 8 * Number(index));
  for (const [index, entry] of Object.entries(theirs)) bytes.writeBigUInt64LE(entry, 0x3000 + 8 * Number(index));
  return bytes;
}

const found = (state: PagingState, memory: Uint8Array) =>
  withReads(kernelTables(state), (address, length) => memory.subarray(Number(address), Number(address) + length));

describe('tables of a kernel that hides from user code', () => {
  const same = tables({ 0: 0x9067n | NX, 511: 0xa063n }, { 0: 0x9067n, 255: 0n });

  test('are beside those of the user code, with the same for users', () => {
    assert.deepEqual(found(user, same), { ...user, cr3: 0x2000n });
    assert.deepEqual(found({ ...user, cr4: user.cr4 | (1n << 12n) }, same)?.cr3, 0x2000n);
  });

  test('are those in use while the kernel runs', () => {
    assert.equal(found({ ...user, cr3: 0x2003n }, same), undefined);
  });

  test('are not there where users have something else, or nothing', () => {
    assert.equal(found(user, tables({ 0: 0x9067n }, { 0: 0xb067n })), undefined);
    assert.equal(found(user, tables({ 0: 0x9067n }, {})), undefined);
    assert.equal(found(user, tables({ 511: 0xa063n }, { 511: 0xc063n })), undefined);
  });

  test('are not looked for in other modes, or where memory ends', () => {
    assert.equal(found({ ...user, efer: 0n }, same), undefined);
    assert.equal(found({ ...user, cr0: 0n }, same), undefined);
    assert.equal(found(user, same.subarray(0, 0x3400)), undefined);
  });

  test('whatever a guest has there, it is a question of two reads', () => {
    const register = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const registers = fc.record({ cr0: register, cr3: register, cr4: register, efer: register });
    fc.assert(
      fc.property(registers, fc.uint8Array({ maxLength: 2048 }), (state, bytes) => {
        let reads = 0;
        withReads(kernelTables(state), () => {
          reads++;
          return bytes;
        });
        assert.ok(reads <= 2);
      }),
    );
  });
});

test('kernel addresses are those of the upper half', () => {
  assert.ok(inUpperHalf(0xffff_8880_0000_0000n) && inUpperHalf(-1n));
  assert.ok(!inUpperHalf(0n) && !inUpperHalf(0x7fff_ffff_ffffn));
});
