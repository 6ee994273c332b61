/** Linux's linked lists: `struct list_head`, include/linux/list.h. */
import type { Kernel } from '../kernel.ts';
import type { KernelObject } from '../kernel-object.ts';
import { LinuxError } from '../linux-error.ts';

/** What was read of a list that may be damaged. */
export interface Listed<Item> {
  readonly items: readonly Item[];
  /** Why the list was not read to its end. */
  readonly problem?: string;
}

/**
 * The entries of a list, each turned by `read` into what is wanted of it.
 * @param head address of the list_head that is no entry itself
 * @param member of `struct name` by which its entries are linked
 * @param limit of entries
 */
export async function readList<Item>(
  kernel: Kernel,
  { head, name, member, limit }: { head: bigint; name: string; member: string; limit: number },
  read: (entry: KernelObject) => Promise<Item>,
): Promise<Listed<Item>> {
  const items: Item[] = [];
  const seen = new Set([head]);
  try {
    const offset = kernel.object(name, 0n).addressOf(member);
    let link = await kernel.object('list_head', head).integer('next');
    for (; !seen.has(link); link = await kernel.object('list_head', link).integer('next')) {
      if (items.length >= limit) return { items, problem: `Only the first ${limit} are shown.` };
      seen.add(link);
      items.push(await read(kernel.object(name, BigInt.asUintN(64, link - offset))));
    }
    return link === head ? { items } : { items, problem: 'The list runs into itself: guest memory is damaged.' };
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    return { items, problem: `The list could not be read to its end: ${error.message}` };
  }
}

/** All of what comes, up to `limit`, or what came before memory turned out to be damaged. */
export async function collected<Item>(coming: AsyncIterable<Item>, limit: number): Promise<Listed<Item>> {
  const items: Item[] = [];
  try {
    for await (const item of coming) {
      if (items.length >= limit) return { items, problem: `Only the first ${limit} are shown.` };
      items.push(item);
    }
    return { items };
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    return { items, problem: error.message };
  }
}
