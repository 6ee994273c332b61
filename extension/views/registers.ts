/** vCPU Registers: groups, registers, decoded bits; a value is set in place. */
import { Disposable, l10n, window } from 'vscode';
import { request } from '../debug/ringside-session.ts';
import { registersNodes } from '../novsc/registers-nodes.ts';
import type { StateNode } from '../novsc/state-node.ts';
import type { RegisterDisplay } from '../state/register-display.ts';
import type { StopStore } from '../state/stop-store.ts';
import { stoppedSession } from '../state/stopped-session.ts';
import type { StopsOn } from '../state/stops-on.ts';
import { StateTree } from './state-tree.ts';

export function registersView(store: StopStore, display: RegisterDisplay, stops: StopsOn): Disposable {
  const tree = new StateTree(store, {
    view: 'ringside.registers',
    part: 'registers',
    build: (groups) =>
      registersNodes(groups, { format: display.format, pinned: display.pinned, stops: stops.of(store.session) }),
    describe: () => `vCPU ${store.threadId - 1}${store.inCaller ? ', selected frame' : ''}`,
  });
  return Disposable.from(
    tree,
    display.onDidChange(() => tree.update(true)),
    stops.onDidChange(() => tree.update(true)),
  );
}

/** Asks for a register (unless a row was given) and its value, and sets it. */
export async function setRegister(store: StopStore, node?: StateNode): Promise<void> {
  const session = await stoppedSession(store, l10n.t('Pause the guest to set a register.'));
  if (!session) return;
  const { threadId } = store;
  const name =
    node?.register ??
    (await window.showInputBox({ title: l10n.t('Set Register'), prompt: l10n.t('Name, such as rax') }));
  if (!name) return;
  const value = await window.showInputBox({
    title: l10n.t('Set {0}', name),
    prompt: l10n.t('A number or a C expression, such as 0x1000, $rsp + 8 or &buffer'),
    ...(node?.value ? { value: node.value } : {}),
  });
  if (value === undefined || value.trim() === '') return;
  try {
    await request(session, 'ringside/setRegister', { threadId, name, value: value.trim() });
  } catch (error) {
    await window.showErrorMessage(
      l10n.t('{0} was not set: {1}', name, error instanceof Error ? error.message : String(error)),
    );
  }
}
