/** Maple trees, which map ranges of indexes to entries: Documentation/core-api/maple_tree.rst, lib/maple_tree.c. */
import type { KernelObject } from '../kernel-object.ts';
import { LinuxError } from '../linux-error.ts';

/** A root that points to a node has these low bits. A node's type is above them, in its parent's slots, too. */
const NODE = 2n;
const NODE_BITS = 3n;
const TYPE_SHIFT = 3n;
const TYPE_BITS = 0xfn;
/** Nodes are aligned by this, less one. */
const NODE_MASK = 255n;
const WORD = 8;
const DEEPEST = 32;
const HIGHEST = (1n << 64n) - 1n;

/** `enum maple_type` without dense nodes, which no tree has yet; what each has its pivots and slots in. */
const kinds = new Map([
  [1n, { member: 'mr64', leaf: true }],
  [2n, { member: 'mr64', leaf: false }],
  [3n, { member: 'ma64', leaf: false }],
]);

export interface MapleEntry {
  /** Of the range. */
  readonly first: bigint;
  readonly last: bigint;
  /** A pointer, as a rule. */
  readonly entry: bigint;
}

/** The entries that are not empty, by index, from the one on whose range ends at or after `from`. @param tree `struct maple_tree` */
export async function* mapleEntries(tree: KernelObject, from = 0n): AsyncGenerator<MapleEntry> {
  const root = await tree.integer('ma_root');
  if (isNode(root)) yield* below(tree, { first: 0n, last: HIGHEST, entry: root }, from, 0);
  // One entry alone is in place of the root.
  else if (root !== 0n && from === 0n) yield { first: 0n, last: 0n, entry: root };
}

const isNode = (entry: bigint) => (entry & NODE_BITS) === NODE && entry > NODE_MASK;

async function* below(
  { kernel }: KernelObject,
  { first, last, entry }: MapleEntry,
  from: bigint,
  depth: number,
): AsyncGenerator<MapleEntry> {
  const kind = kinds.get((entry >> TYPE_SHIFT) & TYPE_BITS);
  if (!kind || depth > DEEPEST) throw new LinuxError('A maple tree is damaged.');
  const node = kernel.object('maple_node', entry & ~NODE_MASK);
  const pivots = node.addressOf(`${kind.member}.pivot`);
  const slots = node.addressOf(`${kind.member}.slot`);
  const count = node.count(`${kind.member}.pivot`);
  let start = first;
  for (let slot = 0; start <= last; slot++) {
    // The last slot has no pivot; one of 0 ends them before.
    const pivot = slot < count ? await kernel.word(pivots + BigInt(slot * WORD)) : last;
    const end = (pivot === 0n && slot > 0) || pivot > last || slot === count ? last : pivot;
    if (end >= from) {
      const range = { first: start, last: end, entry: await kernel.word(slots + BigInt(slot * WORD)) };
      if (range.entry !== 0n) {
        if (kind.leaf) yield range;
        else yield* below(node, range, from, depth + 1);
      }
    }
    start = end + 1n;
  }
}
