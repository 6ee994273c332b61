/** All that the tables below one root map, and where the tables are. */
import type { PagingState } from '../../../hypervisor-core/paging/paging-mode.ts';
import { withAsyncReads } from '../../../hypervisor-core/paging/reads.ts';
import { type PageScan, scanPages } from '../../../hypervisor-core/paging/scan.ts';
import { unpackScan } from '../../../hypervisor-core/paging/scan-codec.ts';
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import type { StopState } from '../stop-state.ts';
import { physicalReader } from './page-tables-part.ts';

/** Our core reads its guest's tables itself; of any other target they are read one by one. */
export async function scan(state: StopState, thread: number, paging: PagingState): Promise<PageScan> {
  const { inspect: connection } = state.target;
  if (!connection) return withAsyncReads(scanPages(paging), physicalReader(state));
  return unpackScan(await connection.sendRequest(inspect.scanPages, { vcpu: thread - 1, cr3: hex(paging.cr3) }));
}
