/**
 * A monitor that speaks QEMU's words (HMP), made to answer the inspect contract as far as it can: the views then need not
 * know whom they ask. What no monitor tells is refused with the reason.
 */
import { PassThrough } from 'node:stream';
import {
  createMessageConnection,
  ErrorCodes,
  type MessageConnection,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import {
  type InterruptState,
  inspect,
  type MachineInfo,
  type MemoryMap,
} from '../../../hypervisor-core/protocol/inspect.ts';
import { parseIoapic, parseLapic, parsePending, parsePics } from './hmp-interrupts.ts';
import { parseMemoryMap } from './hmp-memory-map.ts';
import { parseRegisters } from './hmp-registers.ts';

/** Runs one monitor command and gives its text. */
export type Monitor = (command: string) => Promise<string>;

/** The guest's first serial port, where somebody holds its other end. */
export interface SerialLine {
  /** All that the guest has printed so far. */
  history(): Uint8Array;
  input(data: Uint8Array): void;
  onOutput(listener: (data: Uint8Array) => void): void;
}

export interface MonitorSources {
  /** As the user knows it, for messages. */
  readonly name: string;
  readonly monitor: Monitor;
  readonly serial?: SerialLine;
  /** Where we know the machine because we made it. */
  readonly info?: MachineInfo;
}

const UNTOLD: readonly string[] = [
  'QEMU tells no pending exception or NMI, no PIT and no local APIC version.',
  'The local APIC is shown at its default address.',
];

/** The client's end of a connection on which `sources` answers. */
export function inspectOverMonitor(sources: MonitorSources): MessageConnection {
  const there = new PassThrough();
  const back = new PassThrough();
  const server = createMessageConnection(new StreamMessageReader(there), new StreamMessageWriter(back));
  const client = createMessageConnection(new StreamMessageReader(back), new StreamMessageWriter(there));
  client.onDispose(() => server.dispose());
  answer(server, sources);
  server.listen();
  client.listen();
  return client;
}

/** What a GDB stub leaves out of one vCPU's registers. */
export async function readSystemRegisters(monitor: Monitor, thread: number): Promise<ReadonlyMap<string, bigint>> {
  await monitor(`cpu ${thread - 1}`);
  return parseRegisters(await monitor('info registers'));
}

function answer(server: MessageConnection, { name, monitor, serial, info }: MonitorSources): void {
  server.onRequest(inspect.interrupts, ({ vcpu }) => interrupts(monitor, vcpu, name));
  server.onRequest(inspect.memoryMap, () => memoryMap(monitor, name));
  // Those that it has are registers of the stub.
  server.onRequest(inspect.msrs, () => []);
  if (info) server.onRequest(inspect.info, () => info);
  if (serial) {
    const base64 = (data: Uint8Array) => Buffer.from(data).toString('base64');
    server.onRequest(inspect.consoleHistory, () => ({ data: base64(serial.history()) }));
    server.onRequest(inspect.consoleInput, ({ data }) => serial.input(Buffer.from(data, 'base64')));
    // The guest may go on printing when the connection is disposed of already: then sending throws.
    const tell = async (data: Uint8Array) => server.sendNotification(inspect.onConsole, { data: base64(data) });
    serial.onOutput((data) => void tell(data).catch(() => {}));
  } else {
    server.onRequest(inspect.consoleHistory, () => ({ data: '' }));
  }
  server.onRequest((method: string) => {
    throw failure(`${name} does not tell ${method.split('/').at(-1)}: only Ringside's own core on KVM does`);
  });
}

async function interrupts(monitor: Monitor, vcpu: number, name: string): Promise<InterruptState> {
  await monitor(`cpu ${vcpu}`);
  const chips = await monitor('info pic');
  const lapic = parseLapic(await monitor('info lapic'));
  const ioapic = parseIoapic(chips);
  const pic = parsePics(chips);
  if (!lapic && !ioapic && pic.length === 0) throw failure(`${name} shows no interrupt controllers`);
  return {
    vcpu,
    ...(lapic ? { lapic } : {}),
    ...(ioapic ? { ioapic } : {}),
    pic,
    pit: [],
    pending: parsePending(await monitor('info registers')),
    unknown: UNTOLD,
  };
}

async function memoryMap(monitor: Monitor, name: string): Promise<MemoryMap> {
  const map = parseMemoryMap(await monitor('info mtree -f'));
  if (!map) throw failure(`${name} shows no memory map`);
  return map;
}

const failure = (message: string) => new ResponseError(ErrorCodes.InternalError, `${message}.`);
