/** Xarrays, and the radix trees that have become such: Documentation/core-api/xarray.rst, include/linux/xarray.h. */
import type { Kernel } from '../kernel.ts';
import type { KernelObject } from '../kernel-object.ts';
import { LinuxError } from '../linux-error.ts';

/** An entry that points to a node has these low bits, and is no small number. */
const NODE = 2n;
const NODE_BITS = 3n;
const SMALL = 4096n;
const WORD = 8;
const INDEX_BITS = 64;

/** The entries that are not empty, by index. @param array a `struct xarray` */
export async function* xarrayEntries(array: KernelObject): AsyncGenerator<{ index: bigint; entry: bigint }> {
  const head = await array.integer('xa_head');
  if (isNode(head)) yield* below(array.kernel, head, 0n, INDEX_BITS);
  else if (head !== 0n) yield { index: 0n, entry: head };
}

const isNode = (entry: bigint) => (entry & NODE_BITS) === NODE && entry > SMALL;

/** @param above the shift of the node above, which is greater in every tree that is whole */
async function* below(
  kernel: Kernel,
  entry: bigint,
  base: bigint,
  above: number,
): AsyncGenerator<{ index: bigint; entry: bigint }> {
  const node = kernel.object('xa_node', entry - NODE);
  const shift = await node.number('shift');
  if (shift >= above) throw new LinuxError('An xarray is damaged.');
  const slots = node.addressOf('slots');
  for (let slot = 0; slot < node.count('slots'); slot++) {
    const inside = await kernel.word(slots + BigInt(slot * WORD));
    const index = base + (BigInt(slot) << BigInt(shift));
    if (isNode(inside)) yield* below(kernel, inside, index, shift);
    // A sibling of the entry before it has the low bits of a node.
    else if (inside !== 0n && (inside & NODE_BITS) !== NODE) yield { index, entry: inside };
  }
}
