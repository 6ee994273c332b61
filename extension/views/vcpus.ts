/** vCPUs: what each of them does, where its time goes, and each by itself. */
import type { DebugSession, Disposable, ExtensionContext } from 'vscode';
import { l10n } from 'vscode';
import { request } from '../debug/ringside-session.ts';
import { VcpuLoads } from '../novsc/vcpu-loads.ts';
import type { FromVcpusPage, ToVcpusPage } from '../novsc/vcpu-messages.ts';
import type { StopStore } from '../state/stop-store.ts';
import { LiveView } from './live-view.ts';

/** Milliseconds between two looks. */
const PAUSE = 500;

export class VcpusView implements Disposable {
  #loads = new VcpuLoads();
  readonly #live: LiveView<'vcpus', FromVcpusPage, ToVcpusPage>;

  constructor(
    context: ExtensionContext,
    readonly store: StopStore,
  ) {
    this.#live = new LiveView(context, store, {
      part: 'vcpus',
      title: l10n.t('vCPUs'),
      pause: PAUSE,
      take: (part) => this.#loads.add(part),
      fetch: (session) => this.#fetch(session),
      show: () => this.#show(),
      receive: (message) => void this.#receive(message),
      forget: () => {
        this.#loads = new VcpuLoads();
      },
    });
  }

  dispose(): void {
    this.#live.dispose();
  }

  async #fetch(session: DebugSession): Promise<boolean> {
    const loads = this.#loads;
    const part = await request(session, 'ringside/vcpus', {});
    if (loads === this.#loads && this.store.phase === 'running') {
      loads.add(part);
      this.#show();
    }
    return false;
  }

  async #receive(message: FromVcpusPage): Promise<void> {
    const { session } = this.#live;
    const threadId = message.thread;
    try {
      if (message.kind === 'pause') await session?.customRequest('pause', { threadId });
      else if (session) await request(session, 'ringside/runAlone', { threadId, how: message.how });
    } catch {
      // The guest moved on meanwhile: the next state says so.
    }
  }

  #show(): void {
    const { error, session } = this.#live;
    this.#live.post({
      kind: 'state',
      rows: this.#loads.rows,
      phase: this.store.shownPhase,
      note: error ?? (session ? 'Reading the state of the vCPUs.' : 'Start debugging a guest to see its vCPUs.'),
    });
  }
}
