/**
 * Memory of a kernel that hides from the user code that a vCPU runs, at one stop. Our own core shows it by itself; other stubs
 * show what the vCPU's page tables map.
 */
import { kernelTables } from '../../hypervisor-core/paging/isolated-tables.ts';
import { inUpperHalf, type PagingState } from '../../hypervisor-core/paging/paging-mode.ts';
import { withAsyncReads } from '../../hypervisor-core/paging/reads.ts';
import { translate } from '../../hypervisor-core/paging/walk.ts';
import type { Target } from '../target/target.ts';
import { once } from './once.ts';

const PAGE = 4096n;

export class KernelMemory {
  private readonly tables = new Map<number, Promise<PagingState | undefined>>();
  /** Page-table pages by their guest-physical address. */
  private readonly pages = new Map<bigint, Promise<Uint8Array>>();

  /** `paging` tells how a thread's vCPU translates addresses. */
  constructor(
    private readonly target: Pick<Target, 'can' | 'readPhysical' | 'writePhysical'>,
    private readonly paging: (thread: number) => Promise<PagingState>,
  ) {}

  /** Bytes of one page; undefined where the vCPU's own tables say all there is. */
  async read(thread: number, address: bigint, length: number): Promise<Uint8Array | undefined> {
    const physical = await this.locate(thread, address);
    return physical === undefined ? undefined : this.target.readPhysical(physical, length);
  }

  /** Writes all of it, or nothing and says so. */
  async write(thread: number, address: bigint, data: Uint8Array): Promise<boolean> {
    const parts: { readonly physical: bigint; readonly data: Uint8Array }[] = [];
    for (let done = 0; done < data.length; ) {
      const at = address + BigInt(done);
      const physical = await this.locate(thread, at);
      if (physical === undefined) return false;
      const part = data.subarray(done, done + Number(PAGE - (at % PAGE)));
      parts.push({ physical, data: part });
      done += part.length;
    }
    for (const part of parts) await this.target.writePhysical(part.physical, part.data);
    return true;
  }

  private async locate(thread: number, address: bigint): Promise<bigint | undefined> {
    if (!inUpperHalf(address) || !this.target.can.physicalMemory) return undefined;
    const read = (at: bigint, length: number) => this.readTable(at, length);
    const tables = await once(this.tables, thread, async () =>
      withAsyncReads(kernelTables(await this.paging(thread)), read),
    );
    return tables && withAsyncReads(translate(tables, address), read);
  }

  /** Within one page. */
  private async readTable(address: bigint, length: number): Promise<Uint8Array> {
    const offset = Number(address % PAGE);
    const start = address - BigInt(offset);
    const page = await once(this.pages, start, () => this.target.readPhysical(start, Number(PAGE)));
    return page.subarray(offset, offset + length);
  }
}
