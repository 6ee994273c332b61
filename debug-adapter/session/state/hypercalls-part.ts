/** The Hypercalls view: records of the core with the symbols of their callers. */
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import type { HypercallsPart } from '../../protocol/custom.ts';
import { onlyOurCore } from '../errors.ts';
import type { Guest } from '../guest.ts';
import { symbolNames } from './symbol-name.ts';

/** Records in a snapshot: what a view shows before anybody scrolls. */
const SNAPSHOT_RECORDS = 1000;

/** The newest records. */
export async function hypercallsPart(guest: Guest): Promise<HypercallsPart> {
  const { total } = await hypercallsFrom(guest, 0, 1);
  return hypercallsFrom(guest, Math.max(0, total - SNAPSHOT_RECORDS), SNAPSHOT_RECORDS);
}

export async function hypercallsFrom({ target, symbols }: Guest, from: number, limit: number): Promise<HypercallsPart> {
  if (!target.inspect) throw onlyOurCore('Hypercalls');
  const batch = await target.inspect.sendRequest(inspect.hypercalls, { from, limit });
  const callers = batch.records.map(({ caller, rip }) => caller ?? rip);
  return { ...batch, symbols: symbolNames(symbols, callers) };
}
