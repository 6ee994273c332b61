/** Rows of the Interrupts view: what is pending, the controllers from the vCPU outwards, and the IDT. */
import type {
  DeviceMessage,
  IdtEntry,
  InterruptsPart,
  IoapicState,
  LapicState,
  MessageRoute,
  PicState,
  XenDomain,
} from '../../debug-adapter/protocol/custom.ts';
import { byte, count, duration, time } from './format.ts';
import { logNode, ratesNode } from './interrupt-log-nodes.ts';
import { InterruptRates } from './interrupt-rates.ts';
import { type LinuxInterrupts, linuxNodes } from './linux-interrupts-nodes.ts';
import type { StateNode } from './state-node.ts';
import { xenNodes } from './xen-interrupts-nodes.ts';

type Idt = ReadonlyMap<number, IdtEntry>;

/** How what the guest itself has of interrupts is read. */
export interface GuestInterrupts {
  readonly linux: LinuxInterrupts;
  xen(): Promise<XenDomain>;
}

/** `rates` knows the stops before. */
export function interruptsNodes(
  part: InterruptsPart,
  rates = new InterruptRates(),
  guest?: GuestInterrupts,
): StateNode[] {
  const idt: Idt = new Map(part.idt.map((entry) => [entry.vector, entry]));
  const nameOf = (vector: number) => vectorName(vector, idt);
  return [
    waitingNode(part, idt),
    pendingNode(part, idt),
    ...(part.log ? [logNode(part.log, nameOf), ratesNode(part.log, rates, nameOf)] : []),
    ...(part.lapic ? [lapicNode(part.lapic, idt)] : []),
    ...(part.ioapic ? [ioapicNode(part.ioapic, idt)] : []),
    ...(part.messages ? [messagesNode(part.messages, idt)] : []),
    ...part.pic.map(picNode),
    ...(part.pit.length > 0 ? [pitNode(part)] : []),
    idtNode(part.idt),
    ...(part.linux && guest ? linuxNodes(guest.linux) : []),
    ...(part.xen && guest ? xenNodes(guest.xen) : []),
    ...(part.unknown ?? []).map(
      (sentence, n): StateNode => ({ id: `interrupts/unknown/${n}`, label: sentence, icon: 'info' }),
    ),
  ];
}

function row(parent: string, label: string, description: string, more: Partial<StateNode> = {}): StateNode {
  const id = `${parent}/${label}`;
  return { id, label, description, icon: 'circle-small-filled', value: description, copy: description, ...more };
}

function vectorName(vector: number, idt: Idt): string {
  const entry = idt.get(vector);
  const name = entry?.symbol ?? (vector < 32 ? entry?.name : undefined);
  return name ? `${byte(vector)} ${name}` : byte(vector);
}

const vectors = (list: readonly number[], idt: Idt) =>
  list.length === 0 ? 'none' : list.map((vector) => vectorName(vector, idt)).join(', ');

/** Why each requested interrupt is not delivered: its way to the vCPU, up to what holds it. */
function waitingNode({ waiting }: InterruptsPart, idt: Idt): StateNode {
  const id = 'interrupts/waiting';
  const held = waiting.filter(({ links }) => links.at(-1)?.holds).length;
  return {
    id,
    label: 'Requested',
    description: waiting.length === 0 ? 'nothing' : `${waiting.length} requested, ${held} held`,
    tooltip: 'Interrupts that are requested, and for each what holds it on its way to the vCPU',
    icon: 'question',
    expanded: true,
    children: waiting.map(({ source, vector, links }): StateNode => {
      const end = links.at(-1);
      const verdict = end?.holds ? `held: ${end.name}: ${end.text}` : (end?.text ?? '');
      const one = `${id}/${source}/${vector ?? ''}`;
      return {
        id: one,
        label: vector === undefined ? source : `${vectorName(vector, idt)}, ${source}`,
        description: verdict,
        icon: end?.holds ? 'debug-pause' : 'pass',
        value: verdict,
        copy: verdict,
        children: links.map(
          (link): StateNode => ({
            id: `${one}/${link.name}`,
            label: link.name,
            description: link.text,
            icon: link.holds ? 'error' : 'pass',
            value: link.text,
            copy: link.text,
          }),
        ),
      };
    }),
  };
}

function pendingNode({ pending }: InterruptsPart, idt: Idt): StateNode {
  const id = 'interrupts/pending';
  const { exception, interrupt, nmi, smi } = pending;
  const code = exception?.errorCode === undefined ? '' : `, error code ${byte(exception.errorCode)}`;
  const nmiWords = [nmi.pending && 'pending', nmi.injected && 'being delivered', nmi.masked && 'masked'].filter(
    Boolean,
  );
  const smiWords = [smi.pending && 'pending', smi.inSmm && 'in system management mode'].filter(Boolean);
  const waiting = [exception && 'exception', interrupt && 'interrupt', nmi.pending && 'NMI'].filter(Boolean);
  return {
    id,
    label: 'Pending',
    description: waiting.length > 0 ? waiting.join(', ') : 'nothing',
    icon: 'bell',
    expanded: true,
    children: [
      row(id, 'vCPU', pending.mpState),
      row(
        id,
        'exception',
        exception
          ? `${vectorName(exception.vector, idt)}${code}, ${exception.injected ? 'being delivered' : 'queued'}`
          : 'none',
      ),
      row(
        id,
        'interrupt',
        interrupt ? `${vectorName(interrupt.vector, idt)}${interrupt.soft ? ', software' : ''}` : 'none',
      ),
      row(id, 'NMI', nmiWords.length > 0 ? nmiWords.join(', ') : 'none'),
      row(id, 'SMI', smiWords.length > 0 ? smiWords.join(', ') : 'none'),
      row(id, 'interrupt shadow', pending.interruptShadow ? 'yes: right after STI or MOV SS' : 'no'),
    ],
  };
}

function lapicNode(lapic: LapicState, idt: Idt): StateNode {
  const id = 'interrupts/lapic';
  const { timer } = lapic;
  const count = `count ${timer.currentCount} of ${timer.initialCount}, divided by ${timer.divide}`;
  const left = timer.left === undefined ? '' : `, ${duration(timer.left / 1000)} left`;
  return {
    id,
    label: 'Local APIC',
    description:
      lapic.mode === 'disabled'
        ? 'disabled'
        : `id ${lapic.id}, ${lapic.mode}${lapic.softwareEnabled ? '' : ', software disabled'}`,
    tooltip: `At ${lapic.base}, version ${byte(lapic.version)}`,
    icon: 'circuit-board',
    expanded: true,
    children: [
      row(id, 'IRR', vectors(lapic.irr, idt), { tooltip: 'Requested and not yet taken by the vCPU' }),
      row(id, 'ISR', vectors(lapic.isr, idt), { tooltip: 'In service: taken, no end of interrupt yet' }),
      row(id, 'TMR', vectors(lapic.tmr, idt), { tooltip: 'Level-triggered vectors' }),
      row(id, 'TPR', `${byte(lapic.tpr)}  lets through classes above ${lapic.tpr >> 4}`),
      row(id, 'PPR', byte(lapic.ppr)),
      row(id, 'timer', `${timer.mode}, ${timer.initialCount === 0 ? 'stopped' : count}${left}`),
      ...lapic.lvt.map((entry) =>
        row(
          id,
          `LVT ${entry.name}`,
          `${vectorName(entry.vector, idt)}, ${entry.delivery}${entry.masked ? ', masked' : ''}${entry.pending ? ', pending' : ''}`,
          { tooltip: `raw ${byte(entry.raw)}`, value: `${entry.raw}` },
        ),
      ),
      row(id, 'SVR', byte(lapic.svr)),
      row(id, 'ESR', byte(lapic.esr)),
      row(id, 'ICR', lapic.icr),
    ],
  };
}

function ioapicNode(ioapic: IoapicState, idt: Idt): StateNode {
  const id = 'interrupts/ioapic';
  const open = ioapic.pins.filter((pin) => !pin.masked).length;
  return {
    id,
    label: 'I/O APIC',
    description: `id ${ioapic.id}, ${open} of ${ioapic.pins.length} pins unmasked`,
    tooltip: `At ${ioapic.base}`,
    icon: 'circuit-board',
    children: ioapic.pins.map((pin) => {
      const state = [
        pin.masked && 'masked',
        pin.pending && 'pending',
        pin.remoteIrr && 'remote IRR',
        pin.asserted && 'asserted',
      ];
      const route = `${vectorName(pin.vector, idt)}, ${pin.delivery}, ${pin.trigger}, ${pin.destinationMode} ${pin.destination}`;
      return row(id, `pin ${pin.pin}`, [route, ...state.filter(Boolean)].join(', '), {
        tooltip: `raw ${pin.raw}, active ${pin.polarity}`,
        icon: pin.masked ? 'circle-slash' : 'circle-large-filled',
      });
    }),
  };
}

/** Message-signalled interrupts: each vector of a device's MSI-X table, and what was sent by it. */
function messagesNode(messages: readonly DeviceMessage[], idt: Idt): StateNode {
  const id = 'interrupts/messages';
  const sent = messages.reduce((sum, message) => sum + message.sent, 0);
  const to = ({ vector, delivery, trigger, destinationMode, destination, redirected }: MessageRoute) =>
    `${vectorName(vector, idt)}, ${delivery}, ${trigger}, ${destinationMode} ${destination}${redirected ? ', to one of them' : ''}`;
  return {
    id,
    label: 'MSI',
    description:
      messages.length === 0 ? 'no device has MSI-X on' : `${count(sent)} messages by ${messages.length} vectors`,
    tooltip: 'Message-signalled interrupts: the MSI-X tables of the devices, and what they sent',
    icon: 'mail',
    children: messages.map((message): StateNode => {
      const { device, index, address, data, masked, pending, last, route, lastRoute } = message;
      const states = [
        `${count(message.sent)} sent`,
        masked && 'masked',
        pending && 'pending',
        last && !last.taken && 'the last one lost',
      ];
      return row(id, `${device} ${index}`, [to(route), ...states.filter(Boolean)].join(', '), {
        tooltip: `address ${address}, data 0x${data.toString(16)}`,
        icon: masked ? 'circle-slash' : 'circle-large-filled',
        children: last
          ? [
              row(
                `${id}/${device} ${index}`,
                'last message',
                `at ${time(last.time)} s, ${last.taken ? 'taken' : 'taken by no local APIC'}${lastRoute ? `: ${to(lastRoute)}` : ''}`,
                { tooltip: `address ${last.address}, data 0x${last.data.toString(16)}` },
              ),
            ]
          : [],
      });
    }),
  };
}

function lines(mask: number): string {
  const set = [0, 1, 2, 3, 4, 5, 6, 7].filter((line) => mask & (1 << line));
  return set.length === 0 ? 'none' : set.map((line) => `IR${line}`).join(' ');
}

function picNode(pic: PicState): StateNode {
  const id = `interrupts/pic-${pic.name}`;
  return {
    id,
    label: `PIC ${pic.name}`,
    description: pic.initialized ? `vectors ${byte(pic.vectorBase)} to ${byte(pic.vectorBase + 7)}` : 'not initialized',
    icon: 'circuit-board',
    children: [
      row(id, 'IRR', lines(pic.irr), { tooltip: 'Requested lines' }),
      row(id, 'ISR', lines(pic.isr), { tooltip: 'Lines in service' }),
      row(id, 'IMR', lines(pic.imr), { tooltip: 'Masked lines' }),
      row(id, 'level triggered', lines(pic.elcr)),
      row(id, 'automatic EOI', pic.autoEoi ? 'yes' : 'no'),
    ],
  };
}

function pitNode(part: InterruptsPart): StateNode {
  const id = 'interrupts/pit';
  const hertz = (count: number) => `${(1193182 / (count || 0x10000)).toFixed(1)} Hz`;
  return {
    id,
    label: 'PIT',
    description: '8254 timer',
    icon: 'watch',
    children: part.pit.map((channel) =>
      row(
        id,
        `channel ${channel.channel}`,
        `mode ${channel.mode}, count ${channel.count} (${hertz(channel.count)})${channel.gate ? '' : ', gate closed'}`,
      ),
    ),
  };
}

function idtNode(entries: readonly IdtEntry[]): StateNode {
  const id = 'interrupts/idt';
  const present = entries.filter((entry) => entry.present);
  return {
    id,
    label: 'IDT',
    description: `${present.length} of ${entries.length} entries present`,
    icon: 'list-ordered',
    children: present.map((entry) => ({
      id: `${id}/${entry.vector}`,
      label: `${byte(entry.vector)} ${entry.name}`.trim(),
      description: [entry.symbol ?? entry.handler, entry.type, `DPL ${entry.dpl}`, entry.ist ? `IST ${entry.ist}` : '']
        .filter(Boolean)
        .join('  '),
      tooltip: `Vector ${entry.vector}: ${entry.handler}, selector ${byte(entry.selector)}, ${entry.type}`,
      icon: 'symbol-event',
      value: `${entry.handler} ${entry.selector} ${entry.type} ${entry.dpl} ${entry.ist}`,
      copy: entry.handler,
      address: entry.handler,
      code: true,
      vector: entry.vector,
    })),
  };
}
