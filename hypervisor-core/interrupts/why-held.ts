/**
 * Why an interrupt that is requested is not delivered: for each request the chain of conditions from its source to the
 * vCPU, up to the first that holds it. Intel SDM vol. 3A 6.8 and 11.8; 82093AA and 8259A datasheets.
 */
import { parseHex } from '../protocol/hex.ts';
import type {
  InterruptState,
  IoapicPin,
  LapicState,
  MsixVector,
  PendingEvents,
  PicState,
} from '../protocol/inspect.ts';
import { accepts, type Destination, isDestination } from './destination.ts';
import { decodeMessage, type MessageRoute } from './message.ts';
import { CASCADE, firstOf, inputsByPriority, processorClass } from './priority.ts';

/** One condition on the way. */
interface DeliveryLink {
  readonly name: string;
  /** True for the condition that holds the interrupt, which is the last one then. */
  readonly holds: boolean;
  readonly text: string;
}

interface WaitingInterrupt {
  /** `local APIC`, `I/O APIC pin 4`, `virtio-blk MSI-X 0`, `PIC master IR0`, `NMI`. */
  readonly source: string;
  readonly vector?: number;
  readonly links: readonly DeliveryLink[];
}

interface DeliveryState {
  readonly interrupts: InterruptState;
  /** RFLAGS.IF of the vCPU. */
  readonly interruptsEnabled: boolean;
  /** Local APICs of all vCPUs, for what the I/O APIC sends. */
  readonly lapics: readonly LapicState[];
}

/** A condition: what holds, or else what lets through. */
type Link = readonly [name: string, held: string | false | undefined, passed: string];

/** Everything that is requested of this vCPU, the local APIC's requests first; pins and messages that get lost. */
export function waitingInterrupts(state: DeliveryState): WaitingInterrupt[] {
  const { lapic, ioapic, pic, pending, messages = [] } = state.interrupts;
  const irr = [...(lapic?.irr ?? [])].sort((a, b) => b - a);
  const [master, slave] = pic;
  return [
    ...(pending.nmi.pending ? [chain('NMI', undefined, nmiLinks(pending))] : []),
    ...irr.map((vector) => chain('local APIC', vector, [...lapicLinks(lapic, vector), ...vcpuLinks(state)])),
    ...(ioapic?.pins ?? [])
      .filter((pin) => pin.pending || losesAll(pin, state.lapics))
      .map((pin) => chain(`I/O APIC pin ${pin.pin}`, pin.vector, ioapicLinks(pin, state.lapics))),
    ...messages
      .filter(({ pending: waits, last }) => waits || last?.taken === false)
      .map((message) => messageChain(message, state.lapics)),
    ...[master, slave].flatMap((chip) => (chip ? picRequests(chip, master, state) : [])),
  ];
}

function chain(source: string, vector: number | undefined, links: readonly Link[]): WaitingInterrupt {
  const held = links.findIndex(([, reason]) => reason);
  const shown = held < 0 ? links : links.slice(0, held + 1);
  return {
    source,
    ...(vector === undefined ? {} : { vector }),
    links: shown.map(([name, reason, passed]) => ({ name, holds: Boolean(reason), text: reason || passed })),
  };
}

const byte = (value: number) => `0x${value.toString(16).padStart(2, '0')}`;

function lapicLinks(lapic: LapicState | undefined, vector: number): Link[] {
  if (!lapic) return [];
  const higher = Math.max(...lapic.irr);
  return [
    ...enableLinks(lapic),
    ['priority', priorityHolds(lapic, vector), 'above the processor priority'],
    ['order', higher > vector && `vector ${byte(higher)} is requested, too, and goes first`, 'the highest request'],
  ];
}

function enableLinks({ mode, softwareEnabled }: LapicState): Link[] {
  return [
    ['local APIC', mode === 'disabled' && 'switched off: IA32_APIC_BASE.EN is 0', `on, ${mode}`],
    ['software enable', !softwareEnabled && 'off: bit 8 of SVR is 0', 'on'],
  ];
}

function priorityHolds(lapic: LapicState, vector: number): string | undefined {
  const level = processorClass(lapic);
  if (vector >> 4 > level) return undefined;
  const inService = Math.max(-1, ...lapic.isr);
  if (inService >> 4 === level) {
    return `vector ${byte(inService)} is in service and no end of interrupt (EOI) was written for it`;
  }
  return `TPR is ${byte(lapic.tpr)}, which lets through vectors from ${byte((level + 1) << 4)} on`;
}

/** What the vCPU itself must be ready for. */
function vcpuLinks({ interrupts: { pending }, interruptsEnabled }: DeliveryState): Link[] {
  return [
    ...startLinks(pending),
    [
      'RFLAGS.IF',
      !interruptsEnabled && '0: interrupts are off, by CLI or by the interrupt gate that was gone through',
      '1',
    ],
    [
      'interrupt shadow',
      pending.interruptShadow && 'the instruction after STI or MOV SS comes first',
      'not in the shadow of STI or MOV SS',
    ],
    ['delivery', undefined, 'is delivered when the vCPU runs next'],
  ];
}

function startLinks({ mpState, exception, interrupt, nmi }: PendingEvents): Link[] {
  const asleep = mpState !== 'running' && mpState !== 'halted';
  const first =
    (exception?.injected && `exception ${exception.vector} is being delivered first`) ||
    (interrupt && `vector ${byte(interrupt.vector)} is being delivered first`) ||
    (nmi.injected && 'an NMI is being delivered first');
  return [
    ['vCPU', asleep && `${mpState}: it waits for INIT and SIPI from another vCPU`, mpState],
    ['other events', first, 'none before it'],
  ];
}

function nmiLinks(pending: PendingEvents): Link[] {
  return [
    ...startLinks(pending),
    ['NMI blocking', pending.nmi.masked && 'an NMI is being handled: blocked until its IRET', 'not blocked'],
    ['delivery', undefined, 'is delivered when the vCPU runs next'],
  ];
}

/** An open pin that no local APIC listens to: KVM drops its interrupts, so that none is ever seen waiting. */
function losesAll(pin: IoapicPin, lapics: readonly LapicState[]): boolean {
  return !pin.masked && !lapics.some((lapic) => isDestination(pin, lapic) && accepts(lapic));
}

const targetOf = (destination: Destination, lapics: readonly LapicState[]) =>
  lapics.find((lapic) => isDestination(destination, lapic) && accepts(lapic));

/** From an I/O APIC or a device to a local APIC; `lost` begins what is said of an interrupt without one. */
function routeLinks(
  { vector, delivery, destinationMode, destination }: Destination & Pick<MessageRoute, 'vector' | 'delivery'>,
  lapics: readonly LapicState[],
  lost: string,
): Link[] {
  const way = { destinationMode, destination };
  const fixed = delivery === 'fixed' || delivery === 'lowest priority';
  const ids = lapics.map(({ id }) => id).join(', ');
  const to = `${destinationMode} ${byte(destination)}`;
  const target = targetOf(way, lapics);
  return [
    ['vector', fixed && vector < 16 && `${byte(vector)} is reserved: vectors start at 0x10`, byte(vector)],
    [
      'destination',
      !lapics.some((lapic) => isDestination(way, lapic)) &&
        `${to} is no local APIC; there are ids ${ids}: ${lost} lost`,
      to,
    ],
    ['local APIC', !target && 'switched off, or bit 8 of its SVR is 0', `takes it, id ${target?.id ?? ''}`],
  ];
}

function ioapicLinks(pin: IoapicPin, lapics: readonly LapicState[]): Link[] {
  const already = targetOf(pin, lapics)?.irr.includes(pin.vector);
  return [
    ['mask', pin.masked && 'masked in its redirection entry', 'not masked'],
    [
      'remote IRR',
      pin.trigger === 'level' &&
        pin.remoteIrr &&
        `set: vector ${byte(pin.vector)} was sent and no end of interrupt (EOI) came back`,
      'clear',
    ],
    ...routeLinks(pin, lapics, 'interrupts of this pin are'),
    ['request', already && `vector ${byte(pin.vector)} is requested there already and counts once`, 'is sent'],
  ];
}

/** A message that waits in its device for a mask, or the last one where no local APIC took it. */
function messageChain(
  { device, index, masked, pending, address, data, last }: MsixVector,
  lapics: readonly LapicState[],
) {
  const lost = !pending && last ? last : undefined;
  const route = decodeMessage(parseHex(lost?.address ?? address), lost?.data ?? data);
  return chain(`${device} MSI-X ${index}`, route.vector, [
    [
      'mask',
      pending && masked && 'masked in the MSI-X table, or with all of its function (Message Control)',
      'not masked',
    ],
    ...routeLinks(route, lapics, 'this message is'),
    ['message', lost && 'no local APIC took it when it was sent: its interrupt is lost', 'is sent'],
  ]);
}

function picRequests(chip: PicState, master: PicState | undefined, state: DeliveryState): WaitingInterrupt[] {
  const lines = [0, 1, 2, 3, 4, 5, 6, 7].filter((line) => chip.irr & (1 << line));
  // The master's IR2 is the slave's output and not a request of its own.
  return lines
    .filter((line) => chip.name === 'slave' || line !== CASCADE)
    .map((line) =>
      chain(`PIC ${chip.name} IR${line}`, chip.initialized ? chip.vectorBase + line : undefined, [
        ...picLinks(chip, line),
        ...(chip.name === 'slave' && master ? cascadeLinks(master) : []),
        ['LINT0', lint0Holds(state.interrupts.lapic), 'lets the PIC through'],
        ...vcpuLinks(state),
      ]),
    );
}

function picLinks(chip: PicState, line: number): Link[] {
  const upTo = upToInput(chip, line);
  const waiting = firstOf(upTo.slice(0, -1), chip.irr & ~chip.imr);
  return [
    ['initialization', !chip.initialized && 'the guest has not programmed this chip', 'done'],
    ['mask', (chip.imr & (1 << line)) !== 0 && `bit ${line} of IMR (${byte(chip.imr)}) is set`, 'not masked'],
    ['in service', servedHolds(chip, upTo), 'nothing of the same or a higher priority'],
    ['order', waiting !== undefined && `IR${waiting} is requested, too, and goes first`, 'the highest request'],
  ];
}

function cascadeLinks(master: PicState): Link[] {
  return [
    [
      'cascade mask',
      (master.imr & (1 << CASCADE)) !== 0 && 'IR2 of the master is masked',
      'IR2 of the master is not masked',
    ],
    [
      'cascade in service',
      servedHolds(master, upToInput(master, CASCADE)),
      'nothing of a higher priority at the master',
    ],
  ];
}

/** The inputs of a higher priority than one, and that one. */
function upToInput(chip: PicState, input: number): number[] {
  const inputs = inputsByPriority(chip);
  return inputs.slice(0, inputs.indexOf(input) + 1);
}

function servedHolds({ isr }: PicState, inputs: readonly number[]): string | false {
  const line = firstOf(inputs, isr);
  return line !== undefined && `IR${line} is in service and no end of interrupt (EOI) was written for it`;
}

/** The PIC's output reaches the vCPU through LINT0, or directly where the local APIC is switched off. */
function lint0Holds(lapic: LapicState | undefined): string | false {
  if (!lapic || lapic.mode === 'disabled') return false;
  const lint0 = lapic.lvt.find(({ name }) => name === 'LINT0');
  if (lint0?.masked) return 'masked in the local vector table';
  return lint0?.delivery !== 'ExtINT' && `delivers as ${lint0?.delivery}, not as ExtINT`;
}
