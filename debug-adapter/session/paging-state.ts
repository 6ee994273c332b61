import type { PagingState } from '../../hypervisor-core/paging/paging-mode.ts';

/** What says how a vCPU with these registers translates addresses; `cr3` is another root than its own. */
export function pagingStateOf(values: ReadonlyMap<string, bigint>, cr3?: bigint): PagingState {
  const value = (name: string) => values.get(name) ?? 0n;
  return { cr0: value('cr0'), cr3: cr3 ?? value('cr3'), cr4: value('cr4'), efer: value('efer') };
}
