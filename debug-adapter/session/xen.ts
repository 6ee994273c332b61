/** What a Xen in the guest says of its first domain, in its own memory. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { eventChannels } from '../xen/event-channels.ts';
import { firstDomain } from '../xen/first-domain.ts';
import { trapTable } from '../xen/trap-table.ts';
import { XenMemory } from '../xen/xen-memory.ts';
import type { Area } from './area.ts';
import { symbolName } from './state/symbol-name.ts';
import { threadInKernel } from './state/thread-in-kernel.ts';

export const xen: Area = {
  capabilities: {},
  handlers: {
    'ringside/xenDomain': async ({ guest, stopped }) => {
      const memory = XenMemory.of(stopped.symbols, stopped.reader(await threadInKernel(guest, stopped)));
      const domain = await firstDomain(memory);
      const vcpus = await Promise.all(
        domain.vcpus.map(async (vcpu) => {
          const { id, processor, pending, masked } = vcpu;
          const traps = (await trapTable(memory, vcpu)).map((trap) => {
            const symbol = symbolName(stopped.symbols, trap.handler);
            return { ...trap, handler: hex(trap.handler), ...(symbol !== undefined && { symbol }) };
          });
          return { id, processor, pending, masked, traps };
        }),
      );
      return { id: domain.id, vcpus, ...(await eventChannels(memory, domain)) };
    },
  },
};
