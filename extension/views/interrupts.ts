/** Interrupts: what is pending, what came and how fast, the controllers, the IDT. */
import type { Disposable } from 'vscode';
import { request } from '../debug/ringside-session.ts';
import { InterruptRates } from '../novsc/interrupt-rates.ts';
import { interruptsNodes } from '../novsc/interrupts-nodes.ts';
import type { StopStore } from '../state/stop-store.ts';
import { StateTree } from './state-tree.ts';

export function interruptsView(store: StopStore): Disposable {
  let session = store.session;
  let rates = new InterruptRates();
  const read = async <Name extends 'ringside/linuxIrqs' | 'ringside/linuxTimers' | 'ringside/xenDomain'>(
    name: Name,
  ) => {
    if (!store.session) throw new Error('There is no session.');
    return request(store.session, name, {});
  };
  const guest = {
    linux: { irqs: () => read('ringside/linuxIrqs'), timers: () => read('ringside/linuxTimers') },
    xen: () => read('ringside/xenDomain'),
  };
  return new StateTree(store, {
    view: 'ringside.interrupts',
    part: 'interrupts',
    build: (part) => {
      if (store.session !== session) rates = new InterruptRates();
      session = store.session;
      return interruptsNodes(part, rates, guest);
    },
    describe: () => `vCPU ${store.threadId - 1}`,
  });
}
