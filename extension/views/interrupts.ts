/** Interrupts: what is pending, the controllers, the IDT. */
import type { Disposable } from 'vscode';
import { interruptsNodes } from '../novsc/interrupts-nodes.ts';
import type { StopStore } from '../state/stop-store.ts';
import { StateTree } from './state-tree.ts';

export function interruptsView(store: StopStore): Disposable {
  return new StateTree(store, {
    view: 'ringside.interrupts',
    part: 'interrupts',
    build: interruptsNodes,
    describe: () => `vCPU ${store.threadId - 1}`,
  });
}
