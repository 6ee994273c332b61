import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelMemory } from './kernel-memory.ts';

const KERNEL = 0xffff_ffff_8000_0000n;
const paging = { cr0: 1n << 31n, cr3: 0x1000n, cr4: 1n << 5n, efer: 0xd00n };

/** Root tables at 0 (the kernel's) and 0x1000 (the users'); two pages of the kernel at 0x8000 and 0x6000, then none. */
function machine(physicalMemory = true) {
  const ram = Buffer.alloc(0x9000);
  const entries = { 0: 0x9067n, 4096: 0x9067n, 4088: 0x2063n, 12272: 0x3063n, 12288: 0x4063n };
  const pages = { 16384: 0x8063n, 16392: 0x6063n };
  for (const [at, entry] of Object.entries({ ...entries, ...pages })) ram.writeBigUInt64LE(entry, Number(at));
  const target = {
    can: {
      ...{ rangeStep: true, hardwareBreakpoints: true, watchpoints: true, conditions: true, counts: true },
      physicalMemory,
    },
    readPhysical: async (at: bigint, length: number) => ram.subarray(Number(at), Number(at) + length),
    writePhysical: async (at: bigint, data: Uint8Array) => {
      ram.set(data, Number(at));
    },
  };
  return { ram, memory: new KernelMemory(target, async () => paging) };
}

test('what hides is written page by page, and read again', async () => {
  const { ram, memory } = machine();
  assert.equal(await memory.write(1, KERNEL + 0xffen, Buffer.from('abcd')), true);
  assert.equal(ram.toString('latin1', 0x8ffe, 0x9000) + ram.toString('latin1', 0x6000, 0x6002), 'abcd');
  assert.deepEqual(Buffer.from((await memory.read(1, KERNEL + 0x1000n, 2)) ?? []).toString(), 'cd');
});

test('nothing is written where not all is there', async () => {
  const { ram, memory } = machine();
  const before = Buffer.from(ram);
  assert.equal(await memory.write(1, KERNEL + 0x1ffen, Buffer.from('abcd')), false);
  assert.equal(await memory.read(1, KERNEL + 0x2000n, 1), undefined);
  assert.equal(await memory.write(1, 0x1000n, Buffer.from('abcd')), false, 'an address of users');
  assert.deepEqual(ram, before);
});

test('a stub that shows no physical memory is not asked', async () => {
  const { memory } = machine(false);
  assert.equal(await memory.read(1, KERNEL, 1), undefined);
});
