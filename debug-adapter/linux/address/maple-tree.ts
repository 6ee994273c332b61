/** Looks an index up in a maple tree: Documentation/core-api/maple_tree.rst, lib/maple_tree.c. */
import { strip } from '../../expressions/types.ts';
import type { KernelObject } from '../kernel-object.ts';
import { LinuxError } from '../linux-error.ts';

/** An entry that points to a node has these low bits, and its type above them. */
const NODE = 2n;
const NODE_BITS = 3n;
const TYPE_SHIFT = 3n;
const TYPE_BITS = 0xfn;
/** Nodes are aligned by this, less one. */
const NODE_MASK = 255n;
const WORD = 8;
const DEEPEST = 32;

/** `enum maple_type` without dense nodes, which no tree has yet; what each has its pivots and slots in. */
const kinds = new Map([
  [1n, { member: 'mr64', leaf: true }],
  [2n, { member: 'mr64', leaf: false }],
  [3n, { member: 'ma64', leaf: false }],
]);

/** The entry for `index`, 0 for none. @param tree a `struct maple_tree` */
export async function mapleEntry(tree: KernelObject, index: bigint): Promise<bigint> {
  const { kernel } = tree;
  let entry = await tree.integer('ma_root');
  for (let depth = 0; depth < DEEPEST && entry > NODE_MASK && (entry & NODE_BITS) === NODE; depth++) {
    const kind = kinds.get((entry >> TYPE_SHIFT) & TYPE_BITS);
    if (!kind) break;
    const node = kernel.object('maple_node', entry & ~NODE_MASK);
    const pivots = node.addressOf(`${kind.member}.pivot`);
    const last = lengthOf(node, `${kind.member}.pivot`);
    let slot = 0;
    for (; slot < last; slot++) {
      const pivot = await kernel.word(pivots + BigInt(slot * WORD));
      // A pivot of 0 ends them; the last slot has none.
      if (index <= pivot || (pivot === 0n && slot > 0)) break;
    }
    entry = await kernel.word(node.addressOf(`${kind.member}.slot`) + BigInt(slot * WORD));
    if (kind.leaf) return entry;
  }
  // A tree with one entry alone has it in place of its root.
  if ((entry & NODE_BITS) !== NODE) return index === 0n ? entry : 0n;
  throw new LinuxError('A maple tree is damaged.');
}

function lengthOf({ kernel, type }: KernelObject, path: string): number {
  const place = kernel.place(type, path);
  const plain = place && strip(place.type);
  return plain?.kind === 'array' ? (plain.count ?? 0) : 0;
}
