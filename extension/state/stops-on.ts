/** What the guest of each session stops on besides breakpoints, as the user asked in the views. */
import { type DebugSession, Disposable, EventEmitter, l10n, window } from 'vscode';
import { onRingsideEvent, request } from '../debug/ringside-session.ts';

export class StopsOn implements Disposable {
  readonly #lines = new WeakMap<DebugSession, readonly string[]>();
  readonly #changed = new EventEmitter<void>();
  readonly #started: Disposable;

  readonly onDidChange = this.#changed.event;

  constructor() {
    // A guest that was booted anew knows nothing of what was asked of the one before.
    this.#started = onRingsideEvent('ringside/started', (session) => {
      const lines = this.of(session);
      if (lines.length > 0) void this.#ask(session, lines);
    });
  }

  /** In the words of `monitor stop-on`. */
  of(session: DebugSession | undefined): readonly string[] {
    return (session && this.#lines.get(session)) ?? [];
  }

  /** What the details of a row offer whose next like it `line` stops at: to stop there, or no more. */
  action(session: DebugSession | undefined, line: string): { readonly name: 'stop'; readonly title: string } {
    const stops = this.of(session).includes(line);
    return { name: 'stop', title: stops ? l10n.t('Stop No More') : l10n.t('Stop on This') };
  }

  /** Does what {@link action} offers. */
  toggle(session: DebugSession | undefined, line: string): Promise<void> {
    return this.set(session, line, !this.of(session).includes(line));
  }

  /** Adds or takes away a line; says so when it is refused. */
  async set(session: DebugSession | undefined, line: string, on: boolean): Promise<void> {
    if (!session) {
      await window.showInformationMessage(l10n.t('Start debugging a guest first.'));
      return;
    }
    const others = this.of(session).filter((one) => one !== line);
    await this.#ask(session, on ? [...others, line] : others);
  }

  dispose(): void {
    Disposable.from(this.#changed, this.#started).dispose();
  }

  async #ask(session: DebugSession, stops: readonly string[]): Promise<void> {
    try {
      await request(session, 'ringside/stopOn', { stops });
      this.#lines.set(session, stops);
    } catch {
      // VS Code has shown the adapter's message, which says what is wrong with the line.
    }
    this.#changed.fire();
  }
}
