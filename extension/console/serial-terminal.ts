/**
 * The guest's serial port as a VS Code terminal, both ways. It stays readable after the guest ends, and the next guest of
 * the same name goes on in it as long as the user has not closed it.
 */
import {
  type DebugSession,
  Disposable,
  debug,
  EventEmitter,
  type Pseudoterminal,
  type Terminal,
  ThemeIcon,
  window,
} from 'vscode';
import { DEBUG_TYPE, onRingsideEvent, request } from '../debug/ringside-session.ts';
import { SerialText, typedBytes } from '../novsc/serial-text.ts';

/** Characters kept for a terminal that VS Code has not opened yet. */
const MAX_PENDING = 1 << 20;

const dim = (text: string) => `\r\n\x1b[2m${text}\x1b[22m\r\n`;

class SerialTerminal implements Pseudoterminal {
  #write = new EventEmitter<string>();
  #pending: string | undefined = '';
  #text = new SerialText();
  #session: DebugSession | undefined;
  #ended = false;
  readonly onDidWrite = this.#write.event;
  readonly terminal: Terminal;

  constructor(title: string) {
    this.terminal = window.createTerminal({ name: title, pty: this, iconPath: new ThemeIcon('chip') });
  }

  open(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending) this.#write.fire(pending);
  }

  close(): void {
    this.#session = undefined;
  }

  handleInput(data: string): void {
    if (!this.#session) return;
    // What is typed while the guest ends goes nowhere, as on a real line.
    request(this.#session, 'ringside/consoleInput', { data: typedBytes(data) }).catch(() => {});
  }

  /** True while a guest is connected. */
  get busy(): boolean {
    return this.#session !== undefined;
  }

  get session(): DebugSession | undefined {
    return this.#session;
  }

  connect(session: DebugSession): void {
    if (this.#session?.id !== session.id && this.#ended) this.#show(dim('new guest'));
    this.#session = session;
    this.#text = new SerialText();
    this.#ended = false;
  }

  output(base64: string): void {
    this.#show(this.#text.push(base64));
  }

  end(message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#show(dim(message));
  }

  disconnect(): void {
    this.end('The guest is gone.');
    this.#session = undefined;
  }

  #show(text: string): void {
    if (this.#pending === undefined) this.#write.fire(text);
    else this.#pending = (this.#pending + text).slice(-MAX_PENDING);
  }
}

/** Connects each kvm session with a terminal, unless its configuration wants the Debug Console. */
export class SerialTerminals implements Disposable {
  #terminals = new Set<SerialTerminal>();
  #disposables: Disposable[];

  constructor() {
    this.#disposables = [
      debug.onDidStartDebugSession((session) => this.#of(session)),
      onRingsideEvent('ringside/started', (session) => this.#of(session)?.connect(session)),
      onRingsideEvent('ringside/console', (session, { data }) => this.#of(session)?.output(data)),
      onRingsideEvent('ringside/ended', (session, { message }) => this.#of(session)?.end(message)),
      debug.onDidTerminateDebugSession((session) => this.#find(session)?.disconnect()),
      window.onDidCloseTerminal((terminal) => this.#closed(terminal)),
    ];
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  #find(session: DebugSession): SerialTerminal | undefined {
    return [...this.#terminals].find((terminal) => terminal.session?.id === session.id);
  }

  /** The session's terminal; output may come before VS Code says that the session has started. */
  #of(session: DebugSession): SerialTerminal | undefined {
    const { console: where } = session.configuration;
    if (session.type !== DEBUG_TYPE || where === 'internalConsole') return undefined;
    const known = this.#find(session);
    if (known) return known;
    const title = `Guest serial: ${session.name}`;
    const idle = [...this.#terminals].find(({ terminal, busy }) => terminal.name === title && !busy);
    const chosen = idle ?? new SerialTerminal(title);
    this.#terminals.add(chosen);
    chosen.connect(session);
    chosen.terminal.show(true);
    return chosen;
  }

  #closed(closed: Terminal): void {
    for (const one of this.#terminals) if (one.terminal === closed) this.#terminals.delete(one);
  }
}
