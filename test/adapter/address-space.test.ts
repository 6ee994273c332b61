/** What the Address Space editor asks for, of the sample guest: what is mapped, what a page fault's handler maps more, other roots. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { AddressSpacePart, PagesChoice, PageTableRoot } from '../../debug-adapter/protocol/custom.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, move, stopAt, topFrame, withAdapter } from './driving.ts';

const PAGE = 4096n;

async function addressSpace(client: DapClient, pages: PagesChoice = {}): Promise<AddressSpacePart> {
  const parts = ['addressSpace'] as const;
  const { addressSpace: part } = await client.request('ringside/snapshot', { threadId: 1, parts, pages });
  assert.ok(part && 'ranges' in part, JSON.stringify(part));
  return part;
}

/** The range that an address is in. */
const rangeOf = ({ ranges }: AddressSpacePart, address: bigint) =>
  ranges.find(({ start, size }) => BigInt(start) <= address && address < BigInt(start) + BigInt(size));

describe('the address space', { skip: noKvm }, () => {
  test('that a page fault’s handler makes larger has that page as the change between two stops, and it is found by its frame', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'demand-page');
      const page = BigInt(await evaluate(client, 'address')) & ~(PAGE - 1n);
      const before = await addressSpace(client);
      assert.deepEqual(
        [before.mode, before.current, before.truncated, before.diff],
        ['4-level', true, false, undefined],
      );
      assert.equal(rangeOf(before, page), undefined);
      assert.match(
        rangeOf(before, BigInt((await topFrame(client)).instructionPointerReference ?? 0))?.region ?? '',
        /\.text/,
      );

      await move(client, 'next');
      const after = await addressSpace(client);
      const mapped = rangeOf(after, page);
      assert.deepEqual(mapped?.flags.filter((flag) => ['P', 'W', 'U', 'NX'].includes(flag)).sort(), [
        'NX',
        'P',
        'U',
        'W',
      ]);
      assert.equal(after.diff?.since, before.scan);
      const changed = after.diff?.changes.filter(({ kind }) => kind !== 'used') ?? [];
      assert.deepEqual(
        changed.map(({ kind, start, size }) => [kind, BigInt(start), BigInt(size)]),
        [['mapped', page, PAGE]],
      );
      const { result } = await client.request('ringside/walk', { threadId: 1, address: `${page}` });
      assert.ok(result.kind === 'mapped');
      assert.equal(changed[0]?.after?.physical, result.physical);

      const { mappings } = await client.request('ringside/mappings', { threadId: 1, physical: result.physical });
      const found = mappings.map(({ address }) => BigInt(address));
      assert.ok(found.includes(page) && found.length > 1, 'by itself, and where the kernel has all of memory');
      const bytes = await Promise.all(
        mappings.map(async ({ address }) => client.request('readMemory', { memoryReference: address, count: 64 })),
      );
      assert.equal(new Set(bytes.map((each) => each?.data)).size, 1);
      // A second scan of one stop is no earlier one.
      assert.deepEqual(
        (await addressSpace(client)).earlier.map(({ scan }) => scan),
        [before.scan],
      );
    }));

  test('and the tree are also those of another root, which no vCPU uses', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'showcase-end');
      const own = await addressSpace(client);
      // A root of our own making, with the upper half of the kernel's: in a frame that nobody uses.
      const [from, to] = [BigInt(own.cr3), 0x300_0000n];
      const table = await client.request('readMemory', {
        memoryReference: `physical:0x${from.toString(16)}`,
        count: 4096,
      });
      const entries = Buffer.from(table?.data ?? '', 'base64').fill(0, 0, 2048);
      await client.request('writeMemory', {
        ...{ memoryReference: `physical:0x${to.toString(16)}`, data: entries.toString('base64') },
      });
      const cr3 = `0x${to.toString(16)}` as const;
      const other = await addressSpace(client, { cr3 });
      assert.deepEqual([other.cr3, other.current, other.diff], [cr3, false, undefined]);
      const upper = (part: AddressSpacePart) => part.ranges.filter(({ start }) => BigInt(start) >= 1n << 63n);
      assert.deepEqual(other.ranges, upper(own));
      assert.ok(other.ranges.length > 0 && other.ranges.length < own.ranges.length);

      const { pageTables } = await client.request('ringside/snapshot', {
        ...{ threadId: 1, parts: ['pageTables'], pages: { cr3 } },
      });
      const tree = pageTables as PageTableRoot;
      assert.equal(tree.cr3, cr3);
      assert.ok(tree.entries.every(({ index }) => index >= 256) && tree.entries.some(({ index }) => index === 511));
      const low = rangeOf(own, 0x10_0000n) ? '0x100000' : own.ranges[0]?.start;
      const walked = async (root?: typeof cr3) =>
        (await client.request('ringside/walk', { threadId: 1, address: low ?? '0', ...(root && { cr3: root }) })).result
          .kind;
      assert.deepEqual([await walked(), await walked(cr3)], ['mapped', 'fault']);
    }));
});
