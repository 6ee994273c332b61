/** The Exits view: what the core counts of all vCPUs, added up, and what it has written down, with symbols. */
import { type ExitCounter, inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import type { ExitCount, ExitsPart, ExitTracePart } from '../../protocol/custom.ts';
import type { SymbolIndex } from '../../symbols/api.ts';
import { onlyOurCore } from '../errors.ts';
import type { Guest } from '../guest.ts';
import { symbolName, symbolNames } from './symbol-name.ts';

/** Places and RIPs that a view is told of: those with the most exits. */
const MOST_COUNTS = 2_000;

export async function exitsPart(guest: Guest): Promise<ExitsPart> {
  const core = connection(guest);
  const [counters, times] = await Promise.all([
    core.sendRequest(inspect.exitCounters),
    core.sendRequest(inspect.vcpuTimes),
  ]);
  return {
    counts: addUp(counters, guest.symbols),
    ran: times.reduce((sum, { inKvm, inUser }) => sum + inKvm + inUser, 0),
    vcpus: times.length,
  };
}

export async function exitTrace(guest: Guest, from: readonly number[], limit: number): Promise<ExitTracePart> {
  const core = connection(guest);
  const threads = await guest.threads();
  const batch = await core.sendRequest(inspect.exits, { from: threads.map((_, vcpu) => from[vcpu] ?? 0), limit });
  const rips = batch.records.map(({ rip }) => rip);
  return { ...batch, symbols: symbolNames(guest.symbols, rips) };
}

export async function traceExits(guest: Guest, on: boolean): Promise<{ from: readonly number[] }> {
  return connection(guest).sendRequest(inspect.traceExits, { on });
}

function connection({ target }: Guest) {
  if (!target.inspect) throw onlyOurCore('Exits');
  return target.inspect;
}

/** The counters of all vCPUs, those of the same thing as one. */
function addUp(counters: readonly ExitCounter[], symbols: SymbolIndex | undefined): ExitCount[] {
  const sums = new Map<string, ExitCount>();
  for (const { vcpu: _, ...counter } of counters) {
    const key = `${counter.kind} ${counter.reason} ${counter.address}`;
    const { count = 0, time = 0 } = sums.get(key) ?? {};
    sums.set(key, { ...counter, count: count + counter.count, time: time + counter.time });
  }
  const most = [...sums.values()].sort((a, b) => b.count - a.count).slice(0, MOST_COUNTS);
  return most.map((sum) => {
    const symbol = sum.kind === 'rip' && sum.address && symbolName(symbols, BigInt(sum.address));
    return symbol ? { ...sum, symbol } : sum;
  });
}
