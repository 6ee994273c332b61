/** The Interrupts view: controllers and pending events from the core, and the IDT with its handlers' names. */
import { decodeIdt, IDT_ENTRY_BYTES, idtFormat } from '../../../hypervisor-core/interrupts/idt.ts';
import { decodeMessage } from '../../../hypervisor-core/interrupts/message.ts';
import { waitingInterrupts } from '../../../hypervisor-core/interrupts/why-held.ts';
import { hex, parseHex } from '../../../hypervisor-core/protocol/hex.ts';
import { inspect, type MsixVector } from '../../../hypervisor-core/protocol/inspect.ts';
import type { DeviceMessage, IdtEntry, InterruptsPart } from '../../protocol/custom.ts';
import { isXen } from '../../xen/xen-memory.ts';
import { onlyOurCore } from '../errors.ts';
import type { StopState } from '../stop-state.ts';
import { interruptLog } from './interrupt-log.ts';
import { symbolName } from './symbol-name.ts';

const VECTORS = 256;
const RFLAGS_IF = 1n << 9n;

export async function interruptsPart(state: StopState, thread: number): Promise<InterruptsPart> {
  const { inspect: connection } = state.target;
  if (!connection) throw onlyOurCore('Interrupt controllers');
  const of = (vcpu: number) => connection.sendRequest(inspect.interrupts, { vcpu });
  const own = await of(thread - 1);
  const threads = await state.target.threads();
  const others = await Promise.all(threads.filter(({ id }) => id !== thread).map(({ id }) => of(id - 1)));
  const flags = (await state.values(thread)).get('eflags') ?? 0n;
  const waiting = waitingInterrupts({
    interrupts: own,
    interruptsEnabled: (flags & RFLAGS_IF) !== 0n,
    lapics: [own, ...others].flatMap(({ lapic }) => lapic ?? []),
  });
  const { messages, ...chips } = own;
  const byVcpu = [own, ...others].sort((a, b) => a.vcpu - b.vcpu);
  const log = await interruptLog(connection, byVcpu);
  return {
    ...chips,
    ...(messages && { messages: messages.map(deviceMessage) }),
    waiting,
    ...(log && { log }),
    idt: await descriptorTable(state, thread),
    ...(state.symbols?.symbolsNamed('irq_to_desc').length ? { linux: true } : {}),
    ...(isXen(state.symbols) ? { xen: true } : {}),
  };
}

function deviceMessage(message: MsixVector): DeviceMessage {
  const { address, data, last } = message;
  const other = last && (last.address !== address || last.data !== data) ? last : undefined;
  return {
    ...message,
    route: decodeMessage(parseHex(address), data),
    ...(other && { lastRoute: decodeMessage(parseHex(other.address), other.data) }),
  };
}

/** The interrupt descriptor table that IDTR points to. */
async function descriptorTable(state: StopState, thread: number): Promise<readonly IdtEntry[]> {
  const values = await state.systemValues(thread);
  const value = (name: string) => values.get(name) ?? 0n;
  const format = idtFormat(value('cr0'), value('efer'));
  const limit = Number(value('idtr_limit') & 0xffffn);
  const bytes = await state.read(thread, value('idtr_base'), Math.min(limit + 1, VECTORS * IDT_ENTRY_BYTES[format]));
  return decodeIdt(format, bytes, limit).map((gate) => {
    const symbol = symbolName(state.symbols, gate.handler);
    return { ...gate, handler: hex(gate.handler), ...(symbol === undefined ? {} : { symbol }) };
  });
}
