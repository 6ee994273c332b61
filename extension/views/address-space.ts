/** The Address Space editor: everything that one CR3 maps. */
import { type Disposable, type ExtensionContext, l10n, window } from 'vscode';
import { evaluateAddress } from '../debug/evaluate.ts';
import { request } from '../debug/ringside-session.ts';
import type { Found, FromAddressSpace, ToAddressSpace } from '../novsc/address-space-messages.ts';
import type { StopStore } from '../state/stop-store.ts';
import { stoppedSession } from '../state/stopped-session.ts';
import { StatePanel } from './state-panel.ts';

export class AddressSpaceView implements Disposable {
  #panel: StatePanel<'addressSpace', FromAddressSpace, ToAddressSpace>;

  constructor(
    context: ExtensionContext,
    readonly store: StopStore,
  ) {
    this.#panel = new StatePanel(context, store, {
      page: 'address-space',
      title: l10n.t('Address Space'),
      part: 'addressSpace',
      message: ({ value, ...rest }) => ({ kind: 'state', space: value, ...rest }),
      receive: (message) => this.#receive(message),
    });
  }

  show(): void {
    this.#panel.show();
  }

  dispose(): void {
    this.#panel.dispose();
  }

  #receive(message: FromAddressSpace): void {
    if (message.kind === 'choose') this.store.choosePages(message.pages);
    else if (message.kind === 'askCr3') void chooseCr3(this.store);
    else void this.#find(message.physical).then((found) => this.#panel.post({ kind: 'found', found }));
  }

  async #find(physical: string): Promise<Found> {
    const { session, threadId, pages, phase } = this.store;
    if (!session || phase !== 'stopped') return { error: 'Pause the guest to search its page tables.' };
    try {
      const { cr3 } = pages;
      return await request(session, 'ringside/mappings', { threadId, physical, ...(cr3 ? { cr3 } : {}) });
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** Asks for another root of page tables to look at; an empty answer is the vCPU's own. */
export async function chooseCr3(store: StopStore): Promise<void> {
  const session = await stoppedSession(store, l10n.t('Pause the guest to look at its page tables.'));
  if (!session) return;
  const expression = await window.showInputBox({
    title: l10n.t('Look at Another CR3'),
    prompt: l10n.t(
      'Guest-physical address of a top paging structure: a number or a C expression. Empty for that of the vCPU',
    ),
    value: store.pages.cr3 ?? '',
  });
  if (expression === undefined) return;
  if (expression.trim() === '') {
    store.choosePages({});
    return;
  }
  try {
    store.choosePages({ cr3: await evaluateAddress(session, expression) });
  } catch (error) {
    await window.showErrorMessage(`${expression}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
