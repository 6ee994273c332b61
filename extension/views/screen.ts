/**
 * The guest's screen in an editor: the picture in its framebuffer, at each stop, and while the guest runs. It is looked at
 * only while the page is in sight, and only rows that changed are told.
 */
import { type DebugSession, Disposable, type ExtensionContext, l10n } from 'vscode';
import type { Screen } from '../../debug-adapter/protocol/custom.ts';
import { onRingsideEvent, request } from '../debug/ringside-session.ts';
import type { FromScreenPage, ToScreenPage } from '../novsc/screen-messages.ts';
import { Follower } from '../state/follower.ts';
import type { StopStore } from '../state/stop-store.ts';
import { EditorPage } from './editor-page.ts';
import { ENDED_UNREAD } from './state-panel.ts';
import { saveFile } from './webview-host.ts';

/** Milliseconds between an answer and the next question: at most ten pictures a second. */
const PAUSE = 100;

export class ScreenPanel implements Disposable {
  #session: DebugSession | undefined;
  #screen: Screen | undefined;
  /** Version of the picture that the page has. */
  #known = 0;
  /** The stop at which all of it was read. */
  #readAt: number | undefined;
  /** Why there is no picture. */
  #error: string | undefined;
  readonly #page: EditorPage<FromScreenPage, ToScreenPage>;
  readonly #follower = new Follower(() => this.#fetch(), PAUSE);
  readonly #disposables: Disposable[];

  constructor(
    context: ExtensionContext,
    readonly store: StopStore,
  ) {
    this.#page = new EditorPage<FromScreenPage, ToScreenPage>({
      ...{ extension: context.extensionUri, page: 'screen', title: l10n.t('Screen'), retain: true },
      onReady: () => this.#anew(),
      onMessage: ({ png }) => void saveFile('screen.png', png),
      onVisibility: () => this.#update(),
    });
    this.#disposables = [
      this.#page,
      this.#follower,
      store.onDidChange((part) => part === undefined && this.#update()),
      onRingsideEvent('ringside/started', (session) => session === this.#session && this.#anew()),
    ];
  }

  /** Opens the editor, or brings it to the front. */
  show(): void {
    this.#page.show();
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  /** Nothing is known of the picture, or the page has none. */
  #anew(): void {
    [this.#known, this.#screen, this.#readAt, this.#error] = [0, undefined, undefined, undefined];
    this.#update();
  }

  #update(): void {
    if (this.store.session !== this.#session) {
      this.#session = this.store.session;
      this.#anew();
      return;
    }
    this.#follower.on = this.#page.visible && this.#mayFetch;
    this.#tell();
  }

  get #mayFetch(): boolean {
    const { phase, stopNumber } = this.store;
    return phase === 'running' || (phase === 'stopped' && this.#readAt !== stopNumber);
  }

  /** One answer; true when there is more to be had at once. */
  async #fetch(): Promise<boolean> {
    const session = this.#session;
    if (!session) return false;
    const { stopNumber, phase } = this.store;
    const known = this.#known;
    const update = await request(session, 'ringside/screen', { known }).catch((error: Error) => error);
    if (session !== this.#session || known !== this.#known) return true;
    const failed = update instanceof Error;
    this.#error = failed ? update.message : undefined;
    if (phase === 'stopped' && (failed || !update.more)) this.#readAt = stopNumber;
    if (!failed) {
      const { screen, rows, data, version } = update;
      const isNew = this.#screen === undefined;
      this.#known = version;
      this.#screen = screen;
      // A Buffer would come as what its own toJSON makes of it.
      const bytes = new Uint8Array(Buffer.from(data, 'base64'));
      if (rows.length > 0) this.#page.post({ kind: 'rows', screen, rows, data: bytes });
      if (isNew) this.#tell();
    } else this.#tell();
    // A guest that has none gets none while it runs.
    if (failed || !this.#mayFetch) this.#follower.on = false;
    return !failed && update.more;
  }

  #tell(): void {
    this.#page.post({
      kind: 'state',
      screen: this.#screen,
      note: this.#note,
      phase: this.store.shownPhase,
    });
  }

  get #note(): string {
    if (this.#error !== undefined) return this.#error;
    if (!this.#session) return 'Start debugging a guest to see its screen here.';
    return this.store.phase === 'ended' ? ENDED_UNREAD : 'Reading the screen of the guest.';
  }
}
