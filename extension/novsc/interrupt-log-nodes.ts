/** Rows of the Interrupts view: the last interrupts that came from Ringside, and how fast interrupts come. */
import type { InterruptLogPart, LoggedInterrupt } from '../../debug-adapter/protocol/custom.ts';
import { byte, count, rate, time } from './format.ts';
import type { InterruptRates } from './interrupt-rates.ts';
import type { StateNode } from './state-node.ts';

/** What the log cannot list. */
const UNLISTED = {
  label: 'Not listed',
  description: 'what stays in KVM: timers, and vCPUs among themselves',
  tooltip:
    'The PIT, the local APIC timers, interrupts that one vCPU sends another, and what the I/O APIC repeats for a line that is ' +
    'still raised after its end of interrupt never leave KVM. Of the rates, only those of the vCPUs have them.',
};

const outcomes: Readonly<Record<LoggedInterrupt['outcome'], string | undefined>> = {
  requested: undefined,
  merged: 'requested already, counts once',
  masked: 'masked',
  lost: 'lost: taken by no local APIC',
};

/** The last ones first. `nameOf` gives a vector with its handler. */
export function logNode({ records, total }: InterruptLogPart, nameOf: (vector: number) => string): StateNode {
  const id = 'interrupts/log';
  const last = records.at(-1);
  return {
    id,
    label: 'Log',
    description: last ? `${count(total)} sent, the last at ${time(last.time)} s` : 'nothing sent',
    tooltip: 'Interrupts that devices, hypercalls and you sent, the last first; a line counts when it is raised',
    icon: 'history',
    children: [
      ...[...records].reverse().map((record): StateNode => {
        const words = [sender(record), ...ways(record), outcomes[record.outcome]].filter(Boolean).join(', ');
        return {
          id: `${id}/${record.sequence}`,
          label: `${time(record.time)} s  ${subject(record, nameOf)}`,
          description: words,
          tooltip: `Number ${record.sequence}: ${words}`,
          icon: record.outcome === 'requested' ? 'arrow-right' : 'circle-slash',
          copy: `${time(record.time)} ${subject(record, nameOf)} ${words}`,
        };
      }),
      { id: `${id}/unlisted`, icon: 'info', ...UNLISTED },
    ],
  };
}

function subject({ route, picVector }: LoggedInterrupt, nameOf: (vector: number) => string): string {
  if (!route) return picVector === undefined ? 'no vector' : nameOf(picVector);
  const fixed = route.delivery === 'fixed' || route.delivery === 'lowest priority';
  return fixed ? nameOf(route.vector) : route.delivery;
}

function sender({ source, device, line }: LoggedInterrupt): string {
  if (source === 'user') return 'injected by hand';
  if (source === 'hypercall') return 'a hypercall';
  return line === undefined ? (device ?? 'a device') : `${device ?? 'a device'} line ${line}`;
}

function ways({ line, route, picVector, vcpus }: LoggedInterrupt): string[] {
  const to = vcpus.length === 0 ? 'to nobody' : `to vCPU ${vcpus.join(' or ')}`;
  return [
    ...(route ? [line === undefined ? to : `by the I/O APIC ${to}`] : []),
    ...(picVector === undefined ? [] : [`by the PIC${route ? ` as ${byte(picVector)}` : ''}`]),
  ];
}

/** Per vCPU what KVM injected, and per vector what Ringside sent. */
export function ratesNode(log: InterruptLogPart, rates: InterruptRates, nameOf: (vector: number) => string): StateNode {
  const id = 'interrupts/rates';
  rates.take(log);
  const { injections, counts } = log;
  const all = injections.reduce((sum, { vcpu }) => sum + rates.of('vCPU', vcpu), 0);
  const sent = counts.reduce((sum, { vector }) => sum + rates.of('vector', vector), 0);
  const row = (label: string, number: number, description: string, tooltip: string): StateNode => ({
    ...{ id: `${id}/${label}`, label, description, tooltip, icon: 'circle-small-filled' },
    ...{ value: `${number}`, copy: description },
  });
  return {
    id,
    label: 'Rates',
    description: `${rate(sent)} a second sent${injections.length > 0 ? `, ${rate(all)} injected by KVM` : ''}`,
    tooltip: 'Of the time that the guest ran since the stops before',
    icon: 'pulse',
    children: [
      ...injections.map(({ vcpu, interrupts, nmis }) =>
        row(
          `vCPU ${vcpu}`,
          interrupts + nmis,
          `${count(interrupts)} injected by KVM, ${rate(rates.of('vCPU', vcpu))} a second${nmis > 0 ? `, NMIs: ${count(nmis)}` : ''}`,
          'From all sources. KVM counts one again when something came in between, and none that the processor delivers by itself (APICv, AVIC)',
        ),
      ),
      ...counts.map(({ vector, count: number }) =>
        row(
          nameOf(vector),
          number,
          `${count(number)} sent, ${rate(rates.of('vector', vector))} a second`,
          'From devices, hypercalls or by hand, where a controller took it',
        ),
      ),
    ],
  };
}
