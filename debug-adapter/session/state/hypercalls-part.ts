/** The Hypercalls view: records of the core with the symbols of their callers. */
import type { Hex } from '../../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import type { HypercallBatch, HypercallsPart } from '../../protocol/custom.ts';
import type { SymbolIndex } from '../../symbols/api.ts';
import { onlyOurCore } from '../errors.ts';
import type { Guest } from '../guest.ts';
import { symbolName } from './symbol-name.ts';

/** Records in a snapshot: what a view shows before anybody scrolls. */
const SNAPSHOT_RECORDS = 1000;

/** The newest records. */
export async function hypercallsPart(guest: Guest): Promise<HypercallsPart> {
  const { total } = await hypercallsFrom(guest, 0, 1);
  return hypercallsFrom(guest, Math.max(0, total - SNAPSHOT_RECORDS), SNAPSHOT_RECORDS);
}

export async function hypercallsFrom({ target, symbols }: Guest, from: number, limit: number): Promise<HypercallsPart> {
  if (!target.inspect) throw onlyOurCore('Hypercalls');
  return withSymbols(await target.inspect.sendRequest(inspect.hypercalls, { from, limit }), symbols);
}

function withSymbols(batch: HypercallBatch, symbols: SymbolIndex | undefined): HypercallsPart {
  const named: Record<Hex, string> = {};
  for (const { caller, rip } of batch.records) {
    const address = caller ?? rip;
    const name = named[address] ?? symbolName(symbols, BigInt(address));
    if (name !== undefined) named[address] = name;
  }
  return { ...batch, symbols: named };
}
