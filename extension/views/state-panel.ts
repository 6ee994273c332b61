/** A page in an editor over one part of the state at a stop. It asks for nothing while it is not in sight. */
import { Disposable, type ExtensionContext } from 'vscode';
import type { PartError, StatePart } from '../../debug-adapter/protocol/custom.ts';
import type { PartValue } from '../state/session-state.ts';
import type { StopStore } from '../state/stop-store.ts';
import { EditorPage } from './editor-page.ts';

type Good<Part extends StatePart> = Exclude<PartValue<Part>, PartError>;

/** What a page is told of the state, whatever it shows. */
export interface PageState<Value> {
  readonly value: Value | undefined;
  /** What to say where there is nothing to show. */
  readonly note: string;
  /** Of which vCPU the state is. */
  readonly title: string;
  readonly ended: boolean;
}

export interface StatePanelOptions<Part extends StatePart, In, Out> {
  /** Name of the page in media/webviews, and part of the editor's type. */
  readonly page: string;
  readonly title: string;
  readonly part: Part;
  readonly message: (state: PageState<Good<Part>>) => Out;
  readonly receive?: (message: In) => void;
}

export class StatePanel<Part extends StatePart, In extends { readonly kind: string }, Out> implements Disposable {
  /** What the page was told last. */
  #sent: object | undefined;
  #key = '';
  readonly #page: EditorPage<In, Out>;
  readonly #listening: Disposable;

  constructor(
    context: ExtensionContext,
    readonly store: StopStore,
    readonly options: StatePanelOptions<Part, In, Out>,
  ) {
    const { page, title, part, receive } = options;
    this.#page = new EditorPage<In, Out>({
      ...{ extension: context.extensionUri, page, title },
      onReady: () => this.#update(true),
      onVisibility: () => void store.want(part, this.#page.visible),
      ...(receive ? { onMessage: receive } : {}),
    });
    this.#listening = store.onChangeOf(part, () => this.#update());
  }

  /** Opens the editor, or brings it to the front. */
  show(): void {
    this.#page.show();
  }

  post(message: Out): void {
    this.#page.post(message);
  }

  dispose(): void {
    Disposable.from(this.#listening, this.#page).dispose();
  }

  /** The same state is sent once, unless the page is new. */
  #update(anew = false): void {
    if (!this.#page.open) return;
    const { store } = this;
    // What comes with the stop is shown at once, and not also what was there before it.
    if (store.isComing(this.options.part) && !anew) return;
    const kept = store.part(this.options.part);
    const good = kept && !('error' in kept.value) ? (kept.value as Good<Part>) : undefined;
    const ended = store.phase === 'ended';
    const note = kept && 'error' in kept.value ? kept.value.error : noteOf(store);
    const key = JSON.stringify([kept?.stop, store.session?.id, ended, note]);
    if (!anew && key === this.#key && kept === this.#sent) return;
    this.#key = key;
    this.#sent = kept;
    const title = `vCPU ${(kept?.threadId ?? store.threadId) - 1}`;
    this.#page.post(this.options.message({ value: good, note, title, ended }));
  }
}

/** Of a part of the state that no view asked for while the guest was there. */
export const ENDED_UNREAD = 'The guest has ended, and this was not read before. Start debugging to see it.';

function noteOf(store: StopStore): string {
  if (!store.session) return 'Start debugging a guest to see its state here.';
  if (store.phase === 'running') return 'The guest is running. Pause it to see its state here.';
  if (store.phase === 'ended') return ENDED_UNREAD;
  return 'Reading the state of the guest.';
}
