/**
 * What a stub can do, found out by asking it: QEMU's and our own answer everything, those of VMware, VirtualBox or Bochs
 * leave packets out. A packet that a stub does not know is answered by an empty one (GDB manual, appendix E.1).
 */
import { MAX_PACKET, parseThreadId, textToHex } from '../../hypervisor-core/protocol/rsp.ts';
import { defaultLayout } from './register-layouts.ts';
import type { RspClient } from './rsp-client.ts';
import { type BreakpointKind, type StubRegister, TargetError } from './target.ts';
import { readTargetDescription } from './target-xml.ts';

export const Z_TYPE: Readonly<Record<BreakpointKind, number>> = {
  software: 0,
  hardware: 1,
  write: 2,
  read: 3,
  access: 4,
};

export interface StubAbilities {
  readonly registers: readonly StubRegister[];
  /** Bytes of memory in one packet. */
  readonly chunk: number;
  /** False: `Hc` with `s` and `c`, which move one thread or all. */
  readonly vCont: boolean;
  readonly rangeStep: boolean;
  /** `qfThreadInfo`; without, there is one thread, 1. */
  readonly threadList: boolean;
  /** The first thread, which stops that name none belong to. */
  readonly firstThread: number;
  /** `p`; without, all registers are read for one. */
  readonly oneRegister: boolean;
  readonly breakpoints: ReadonlySet<BreakpointKind>;
  /** Agent expressions as conditions of breakpoints. */
  readonly conditions: boolean;
  /** `Qqemu.PhyMemMode`. */
  readonly physicalMemory: boolean;
  /** `qRcmd`. */
  readonly monitor: boolean;
}

const OUR_FEATURES =
  'qSupported:swbreak+;hwbreak+;vContSupported+;error-message+;xmlRegisters=i386;ConditionalBreakpoints+';
/** Bytes of one description document. */
const LONGEST_DOCUMENT = 1 << 20;
/** Bytes in a packet of a stub that does not say: what GDB assumes. */
const DEFAULT_PACKET = 400;

/** Greets the stub and asks it all that there is to ask. The guest is stopped afterwards. */
export async function askStub(client: RspClient): Promise<StubAbilities> {
  // QEMU stops a running guest when somebody connects, and tells so unasked.
  const features = featuresOf(await client.request(OUR_FEATURES, undefined, /^[ST][0-9a-f]{2}/));
  if (features.has('QStartNoAckMode+') && (await client.request('QStartNoAckMode')) === 'OK') {
    client.dropAcknowledgements();
  }
  await client.request('?');
  // Stubs that serve processes (gdbserver) describe the registers of the one that is selected.
  await client.request('Hg0');
  const actions = await client.request('vCont?');
  const threads = await client.request('qfThreadInfo');
  const first = parseThreadId(/^m([^,]+)/.exec(threads)?.[1] ?? '');
  const registers = await registersOf(client, features.has('qXfer:features:read+'));
  const pc = registers.find(({ name }) => name === 'rip')?.regnum ?? 0;
  const breakpoints = new Set<BreakpointKind>();
  // Taking away what was never set changes nothing, and tells whether the packet is known.
  for (const kind of Object.keys(Z_TYPE) as BreakpointKind[]) {
    if ((await client.request(`z${Z_TYPE[kind]},0,1`)) !== '') breakpoints.add(kind);
  }
  const packet = Number.parseInt(features.get('PacketSize') ?? '', 16) || DEFAULT_PACKET;
  return {
    registers,
    chunk: Math.max(64, Math.floor(Math.min(packet, MAX_PACKET) / 2) - 32),
    vCont: /;s\b/.test(actions) && /;c\b/.test(actions),
    rangeStep: /;r\b/.test(actions),
    threadList: threads.startsWith('m'),
    firstThread: typeof first === 'number' ? first : 1,
    oneRegister: /^[0-9a-fx]+$/i.test(await client.request(`p${pc.toString(16)}`)),
    breakpoints,
    conditions: features.has('ConditionalBreakpoints+'),
    physicalMemory: /^[01]$/.test(await client.request('qqemu.PhyMemMode')),
    monitor: (await client.request(`qRcmd,${textToHex('info version')}`, () => undefined)) !== '',
  };
}

/** What the user will miss, one sentence each; empty for a stub that can do all. */
export function missingAbilities(name: string, can: StubAbilities): readonly string[] {
  const lacks: readonly (readonly [boolean, string])[] = [
    [can.breakpoints.size === 0, 'no breakpoints: the guest stops only when it is paused'],
    [
      can.breakpoints.has('hardware') && !can.breakpoints.has('software'),
      'only as many breakpoints as debug registers',
    ],
    [!can.breakpoints.has('write'), 'no data breakpoints'],
    [!can.vCont, 'no steps of one vCPU while others stand still (vCont)'],
    [!can.threadList, 'no list of vCPUs: only one is shown'],
    [!can.physicalMemory, 'no guest-physical memory: page tables cannot be read'],
    [!can.registers.some((register) => register.name === 'cr3'), 'no control registers: paging is not known'],
    [!can.monitor, 'no monitor: interrupt controllers and the memory map are not known (see "qmp")'],
  ];
  return lacks.filter(([missing]) => missing).map(([, words]) => `${name} has ${words}.`);
}

function featuresOf(reply: string): ReadonlyMap<string, string> {
  return new Map(
    reply.split(';').map((feature) => {
      const [key = '', value = ''] = feature.split('=');
      return [key, value];
    }),
  );
}

async function registersOf(client: RspClient, described: boolean): Promise<readonly StubRegister[]> {
  if (described) return readTargetDescription((document) => transfer(client, 'features', document));
  const reply = await client.request('g');
  const layout = /^([0-9a-fx]{2})+$/i.test(reply) ? defaultLayout(reply.length / 2) : undefined;
  if (layout) return layout;
  throw new TargetError(
    `the stub describes no registers, and its ${Math.floor(reply.length / 2)} bytes of them are neither x86-64's nor i386's`,
  );
}

/** `qXfer:OBJECT:read`, all of it. */
async function transfer(client: RspClient, object: string, annex: string): Promise<string> {
  let text = '';
  while (text.length < LONGEST_DOCUMENT) {
    const reply = await client.request(`qXfer:${object}:read:${annex}:${text.length.toString(16)},fff`);
    if (!/^[lm]/.test(reply)) break;
    text += reply.slice(1);
    if (reply.startsWith('l')) return text;
  }
  throw new TargetError(`the stub gives no ${annex}`);
}
