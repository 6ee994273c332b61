/** Rows of the Interrupts view for a Xen in the guest: what its first domain has in place of controllers and an IDT, read when it is expanded. */
import type { XenDomain, XenEventChannel, XenTrap } from '../../debug-adapter/protocol/custom.ts';
import { byte } from './format.ts';
import type { StateNode } from './state-node.ts';

const DOMAIN = 'interrupts/xen-domain';

/** VIRQ_... of xen/include/public/xen.h, without what is common to all. */
export const VIRQS: Readonly<Record<number, string>> = {
  ...{ 0: 'TIMER', 1: 'DEBUG', 2: 'CONSOLE', 3: 'DOM_EXC', 4: 'TBUF', 6: 'DEBUGGER', 7: 'XENOPROF', 8: 'CON_RING' },
  ...{ 9: 'PCPU_STATE', 10: 'MEM_EVENT', 11: 'ARGO', 12: 'ENOMEM', 13: 'XENPMU' },
  ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7].map((n) => [16 + n, `ARCH_${n}`])),
};

export function xenNodes(read: () => Promise<XenDomain>): StateNode[] {
  return [
    {
      id: DOMAIN,
      label: 'Xen’s first domain',
      description: 'event channels and trap handlers',
      tooltip: 'What a paravirtual domain has in place of interrupt controllers and an IDT, as Xen keeps it',
      icon: 'server',
      children: async () => {
        const domain = await read();
        return [channelsNode(domain), ...domain.vcpus.map(vcpuNode)];
      },
    },
  ];
}

function channelsNode({ abi, channels, problem }: XenDomain): StateNode {
  const id = `${DOMAIN}/channels`;
  const pending = channels.filter((channel) => channel.pending).length;
  return {
    id,
    label: 'Event channels',
    description: `${abi}, ${channels.length} in use, ${pending} pending`,
    icon: 'bell',
    expanded: true,
    children: [
      ...channels.map((channel) => channelNode(id, channel)),
      ...(problem === undefined ? [] : [{ id: `${id}/problem`, label: problem, icon: 'warning' }]),
    ],
  };
}

function channelNode(parent: string, channel: XenEventChannel): StateNode {
  const { port, pending, masked } = channel;
  const state = [pending && 'pending', masked && 'masked'].filter(Boolean).join(', ');
  return {
    id: `${parent}/${port}`,
    label: `port ${port}`,
    description: [boundTo(channel), state].filter(Boolean).join('  '),
    icon: masked ? 'circle-slash' : pending ? 'bell-dot' : 'circle-large-filled',
    value: `${boundTo(channel)} ${state}`,
    copy: boundTo(channel),
  };
}

function boundTo({ state, detail }: XenEventChannel): string {
  switch (state) {
    case 'virq':
      return `VIRQ_${VIRQS[detail ?? -1] ?? detail}`;
    case 'pirq':
      return `PIRQ ${detail}`;
    case 'ipi':
      return 'IPI';
    case 'interdomain':
      return `port ${detail} of another domain`;
    case 'unbound':
      return `unbound, for domain ${detail}`;
    case 'reserved':
      return 'reserved';
  }
}

function vcpuNode({ id: number, processor, pending, masked, traps }: XenDomain['vcpus'][number]): StateNode {
  const id = `${DOMAIN}/vcpu-${number}`;
  const state = [`on processor ${processor}`, pending && 'events pending', masked && 'events masked'];
  const handlers = traps.length === 0 ? 'no trap handlers yet' : `${traps.length} trap handlers`;
  const description = [...state, handlers].filter(Boolean).join(', ');
  return {
    id,
    label: `vCPU ${number}`,
    description,
    icon: 'circuit-board',
    value: description,
    copy: description,
    children: traps.map((trap) => trapNode(id, trap)),
  };
}

function trapNode(parent: string, { vector, name, handler, symbol, selector, dpl, masksEvents }: XenTrap): StateNode {
  return {
    id: `${parent}/${vector}`,
    label: `${byte(vector)} ${name}`,
    description: [symbol ?? handler, `DPL ${dpl}`, masksEvents ? 'masks events' : ''].filter(Boolean).join('  '),
    tooltip: `Vector ${vector}: ${handler}, selector ${byte(selector)}`,
    icon: 'symbol-event',
    value: `${handler} ${selector} ${dpl} ${masksEvents}`,
    copy: handler,
    address: handler,
    code: true,
  };
}
