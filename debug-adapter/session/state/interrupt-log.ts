/** The log of interrupts in the Interrupts view: each with its way, and beside it what KVM counts. */
import type { MessageConnection } from 'vscode-jsonrpc';
import { isDestination } from '../../../hypervisor-core/interrupts/destination.ts';
import { decodeIoapicPin } from '../../../hypervisor-core/interrupts/irqchip.ts';
import { decodeMessage, type MessageRoute } from '../../../hypervisor-core/interrupts/message.ts';
import { parseHex } from '../../../hypervisor-core/protocol/hex.ts';
import {
  type InterruptRecord,
  type InterruptState,
  inspect,
  type MsixVector,
} from '../../../hypervisor-core/protocol/inspect.ts';
import type { InterruptLogPart, LoggedInterrupt } from '../../protocol/custom.ts';

/** Interrupts that a view is told of. */
const MOST = 100;

/** `states` are those of all vCPUs. Undefined where this hypervisor keeps no log. */
export async function interruptLog(
  core: MessageConnection,
  states: readonly InterruptState[],
): Promise<InterruptLogPart | undefined> {
  const [log, times] = await Promise.all([
    core.sendRequest(inspect.interruptLog, { limit: MOST }).catch(() => undefined),
    core.sendRequest(inspect.vcpuTimes).catch(() => []),
  ]);
  if (!log) return undefined;
  return {
    ...log,
    records: log.records.map((record) => logged(record, states)),
    injections: times.flatMap(({ vcpu, statistics }) => {
      const { irq_injections: interrupts, nmi_injections: nmis = 0 } = statistics;
      return interrupts === undefined ? [] : { vcpu, interrupts, nmis };
    }),
  };
}

function logged(record: InterruptRecord, states: readonly InterruptState[]): LoggedInterrupt {
  const { ioapicEntry: _, address: __, data: ___, ...rest } = record;
  const route = routeOf(record);
  const device = record.device ?? senderOf(record, states[0]?.messages ?? []);
  return {
    ...rest,
    ...(device !== undefined && { device }),
    ...(route && { route }),
    vcpus: route ? states.flatMap(({ vcpu, lapic }) => (lapic && isDestination(route, lapic) ? vcpu : [])) : [],
  };
}

function routeOf({ line, ioapicEntry, address, data }: InterruptRecord): MessageRoute | undefined {
  if (address !== undefined) return decodeMessage(parseHex(address), data ?? 0);
  return line === undefined || ioapicEntry === undefined
    ? undefined
    : { ...decodeIoapicPin(line, parseHex(ioapicEntry), false), redirected: false };
}

/** Which vector of which device's table has this message now; undefined when none or several have. */
function senderOf({ source, address, data }: InterruptRecord, messages: readonly MsixVector[]): string | undefined {
  const [found, ...others] = messages.filter((one) => one.address === address && one.data === data);
  return source === 'message' && found && others.length === 0 ? `${found.device} MSI-X ${found.index}` : undefined;
}
