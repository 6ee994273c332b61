/** Rows of the Interrupts view for a Linux guest: its interrupts with their handlers, and its timers, read when they are expanded. */
import type { LinuxIrq, LinuxTimer } from '../../debug-adapter/protocol/custom.ts';
import { count, time } from './format.ts';
import type { StateNode } from './state-node.ts';

/** How both lists are read; `problem` says why there may be more. */
export interface LinuxInterrupts {
  irqs(): Promise<{ readonly irqs: readonly LinuxIrq[]; readonly problem?: string }>;
  timers(): Promise<{ readonly timers: readonly LinuxTimer[]; readonly problem?: string }>;
}

const IRQS = 'interrupts/linux-irqs';
const TIMERS = 'interrupts/linux-timers';

export function linuxNodes(linux: LinuxInterrupts): StateNode[] {
  return [
    {
      id: IRQS,
      label: 'Linux interrupts',
      description: 'handlers and counts of each CPU',
      tooltip: 'As in the guest’s /proc/interrupts',
      icon: 'plug',
      children: async () => {
        const { irqs, problem } = await linux.irqs();
        return [...irqs.map(irqNode), ...problemNode(IRQS, problem)];
      },
    },
    {
      id: TIMERS,
      label: 'Linux timers',
      description: 'what waits for a time',
      tooltip: 'High resolution timers, as in the guest’s /proc/timer_list, and those of the timer wheel',
      icon: 'watch',
      children: async () => {
        const { timers, problem } = await linux.timers();
        return [...timers.map(timerNode), ...problemNode(TIMERS, problem)];
      },
    },
  ];
}

function problemNode(parent: string, problem: string | undefined): StateNode[] {
  return problem === undefined ? [] : [{ id: `${parent}/problem`, label: problem, icon: 'warning' }];
}

function irqNode({ number, chip, hardware, flow, counts, actions }: LinuxIrq): StateNode {
  const [first] = actions;
  const names = actions.map(({ name }) => name).join(', ');
  const handlers = actions.map(({ symbol }) => symbol).join(', ');
  return {
    id: `${IRQS}/${number}`,
    label: `${number} ${names}`.trimEnd(),
    description: [handlers, `${chip} ${hardware}${flow && `-${flow}`}`, counts.map(count).join(' ')].join('  '),
    icon: 'symbol-event',
    value: counts.join(' '),
    copy: handlers,
    ...(first && { address: first.handler, code: true }),
  };
}

function timerNode(timer: LinuxTimer): StateNode {
  const { cpu, symbol, clock, expires } = timer;
  const when = clock === 'jiffies' ? `jiffy ${expires}` : `${clock} ${time(Number(expires) / 1e3)} s`;
  return {
    id: `${TIMERS}/${timer.address}`,
    label: symbol,
    description: `CPU ${cpu}  ${when}`,
    tooltip: `${clock === 'jiffies' ? 'timer_list' : 'hrtimer'} at ${timer.address}`,
    icon: 'watch',
    value: expires,
    copy: symbol,
    address: timer.function,
    code: true,
  };
}
