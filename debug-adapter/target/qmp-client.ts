/**
 * QEMU's machine protocol (docs/interop/qmp-spec): JSON values, one a line; commands carry an id, events come at any time.
 * Only what a debugger needs: commands, the human monitor through them, and events.
 */
import type { Socket } from 'node:net';
import { TargetError } from './target.ts';

interface Message {
  readonly QMP?: unknown;
  readonly id?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly desc?: unknown };
  readonly event?: unknown;
  readonly data?: unknown;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Characters of one message; `info mtree -f` of a large machine has 100,000. */
const LONGEST = 16 << 20;
const PATIENCE = 30_000;

export class QmpClient {
  private readonly waiting = new Map<number, Waiting>();
  private readonly parts: string[] = [];
  private unfinished = 0;
  private nextId = 1;
  private greeted: () => void = () => undefined;
  private over: string | undefined;

  onEvent: (name: string, data: Readonly<Record<string, unknown>>) => void = () => undefined;

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.take(text));
    socket.on('error', (error) => this.end(error.message));
    socket.on('close', () => this.end('the monitor closed the connection'));
  }

  /** Waits for the greeting and leaves negotiation mode. */
  static async open(socket: Socket): Promise<QmpClient> {
    const client = new QmpClient(socket);
    const late = setTimeout(() => client.end('the monitor does not greet: is it QMP?'), PATIENCE);
    try {
      await new Promise<void>((resolve, reject) => {
        client.greeted = resolve;
        client.waiting.set(0, { resolve: () => resolve(), reject });
      });
      client.waiting.delete(0);
      await client.execute('qmp_capabilities');
      return client;
    } finally {
      clearTimeout(late);
    }
  }

  execute(command: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.over !== undefined) return Promise.reject(new TargetError(this.over));
    const id = this.nextId++;
    const answered = new Promise<unknown>((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.socket.write(`${JSON.stringify({ execute: command, arguments: parameters, id })}\n`);
    return answered;
  }

  /** A command of the human monitor; its text. */
  async monitor(line: string): Promise<string> {
    return String(await this.execute('human-monitor-command', { 'command-line': line }));
  }

  close(): void {
    this.end('the session is over');
  }

  private take(text: string): void {
    let rest = text;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = this.parts.splice(0).join('') + rest.slice(0, end);
      this.unfinished = 0;
      rest = rest.slice(end + 1);
      if (line.trim() !== '') this.handle(line);
    }
    this.parts.push(rest);
    this.unfinished += rest.length;
    if (this.unfinished > LONGEST) this.end('the monitor sent a message without an end');
  }

  private handle(line: string): void {
    const message = parse(line);
    if (!message) this.end('the monitor does not speak QMP');
    else if ('QMP' in message) this.greeted();
    else if (typeof message.event === 'string') this.onEvent(message.event, objectOf(message.data) ?? {});
    else this.settle(message);
  }

  private settle(message: Message): void {
    const waiting = typeof message.id === 'number' ? this.waiting.get(message.id) : undefined;
    if (!waiting) return;
    this.waiting.delete(message.id as number);
    if (message.error) waiting.reject(new TargetError(`QEMU: ${String(message.error.desc ?? 'refused')}`));
    else waiting.resolve(message.return);
  }

  private end(reason: string): void {
    if (this.over !== undefined) return;
    this.over = reason;
    this.socket.destroy();
    for (const { reject } of this.waiting.values()) reject(new TargetError(reason));
    this.waiting.clear();
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

const objectOf = (value: unknown): JsonObject | undefined =>
  typeof value === 'object' && value !== null ? { ...value } : undefined;

function parse(line: string): Message | undefined {
  try {
    return objectOf(JSON.parse(line));
  } catch {
    return undefined;
  }
}
