/** Red-black trees: `struct rb_root`, include/linux/rbtree_types.h. */
import type { Kernel } from '../kernel.ts';
import { LinuxError } from '../linux-error.ts';

const DEEPEST = 128;

/** Addresses of the tree's nodes (`struct rb_node`) in their order. @param root address of the topmost, 0 for an empty tree */
export async function* rbNodes(kernel: Kernel, root: bigint, depth = 0): AsyncGenerator<bigint> {
  if (root === 0n) return;
  if (depth > DEEPEST) throw new LinuxError('A red-black tree is damaged.');
  const node = kernel.object('rb_node', root);
  yield* rbNodes(kernel, await node.integer('rb_left'), depth + 1);
  yield root;
  yield* rbNodes(kernel, await node.integer('rb_right'), depth + 1);
}
