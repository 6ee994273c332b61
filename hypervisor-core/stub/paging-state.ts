/** What paging depends on, of a vCPU that stands still. */
import type { Vcpu } from '../machine/api.ts';
import type { PagingState } from '../paging/paging-mode.ts';

export function pagingState({ registers }: Vcpu): PagingState {
  const value = (name: string) => registers.read(name).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return { cr0: value('cr0'), cr3: value('cr3'), cr4: value('cr4'), efer: value('efer') };
}
