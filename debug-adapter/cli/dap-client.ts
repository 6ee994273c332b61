/** A small DAP client over two streams: what the demo and the tests drive the adapter with. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Requests } from '../session/area.ts';

interface Waiting {
  readonly resolve: (response: DebugProtocol.Response) => void;
  readonly reject: (error: Error) => void;
}

interface Expected {
  readonly matches: (event: DebugProtocol.Event) => boolean;
  readonly resolve: (event: DebugProtocol.Event) => void;
  readonly reject: (error: Error) => void;
}

/** A request that the adapter refused. */
export class RequestFailed extends Error {
  constructor(
    readonly command: string,
    readonly id: number,
    message: string,
  ) {
    super(message);
  }
}

export class DapClient {
  private readonly waiting = new Map<number, Waiting>();
  private readonly expected: Expected[] = [];
  /** Events that nobody has waited for yet. */
  private readonly backlog: DebugProtocol.Event[] = [];
  private buffer: Buffer = Buffer.alloc(0);
  private seq = 1;
  private over: Error | undefined;

  /** Sees every message in both directions. */
  onMessage: (message: DebugProtocol.ProtocolMessage) => void = () => undefined;

  constructor(
    input: NodeJS.ReadableStream,
    private readonly output: NodeJS.WritableStream,
  ) {
    input.on('data', (chunk: Buffer) => this.take(chunk));
    input.on('end', () => this.end(new Error('the adapter closed the connection')));
    output.on('error', (error: Error) => this.end(error));
  }

  /** Sends a request and resolves with the body of its response. Throws {@link RequestFailed}. */
  async request<Name extends keyof Requests>(
    command: Name,
    args?: Requests[Name]['arguments'],
  ): Promise<Requests[Name]['body']> {
    const response = await this.send(command, args);
    if (response.success) return response.body;
    const error = (response as DebugProtocol.ErrorResponse).body?.error;
    throw new RequestFailed(command, error?.id ?? 0, response.message ?? `${command} failed`);
  }

  /** Sends anything at all, and resolves with the response. */
  send(command: string, args?: unknown): Promise<DebugProtocol.Response> {
    const request = { seq: this.seq++, type: 'request', command, arguments: args };
    return new Promise((resolve, reject) => {
      if (this.over) return reject(this.over);
      this.waiting.set(request.seq, { resolve, reject });
      this.onMessage(request);
      const json = JSON.stringify(request);
      this.output.write(`Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`);
    });
  }

  /** The first event of that name which was not waited for yet, past or to come. */
  event<Body>(name: string, matches: (body: Body) => boolean = () => true): Promise<Body> {
    const fits = (event: DebugProtocol.Event) => event.event === name && matches(event.body);
    const past = this.backlog.findIndex(fits);
    if (past >= 0) return Promise.resolve(this.backlog.splice(past, 1)[0]?.body);
    if (this.over) return Promise.reject(this.over);
    return new Promise((resolve, reject) => {
      this.expected.push({ matches: fits, resolve: (event) => resolve(event.body), reject });
    });
  }

  stopped(): Promise<DebugProtocol.StoppedEvent['body']> {
    return this.event('stopped');
  }

  /** Nothing more will come. */
  end(reason: Error): void {
    this.over ??= reason;
    for (const { reject } of this.waiting.values()) reject(this.over);
    for (const { reject } of this.expected.splice(0)) reject(this.over);
    this.waiting.clear();
  }

  private take(chunk: Buffer): void {
    this.buffer = Buffer.concat([this.buffer, chunk]);
    for (;;) {
      const headerEnd = this.buffer.indexOf('\r\n\r\n');
      if (headerEnd < 0) return;
      const length = Number(/Content-Length: (\d+)/.exec(this.buffer.toString('latin1', 0, headerEnd))?.[1]);
      const end = headerEnd + 4 + length;
      if (this.buffer.length < end) return;
      const message = JSON.parse(this.buffer.toString('utf8', headerEnd + 4, end));
      this.buffer = this.buffer.subarray(end);
      this.onMessage(message);
      this.dispatch(message);
    }
  }

  private dispatch(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'response') {
      const response = message as DebugProtocol.Response;
      this.waiting.get(response.request_seq)?.resolve(response);
      this.waiting.delete(response.request_seq);
    } else if (message.type === 'event') {
      const event = message as DebugProtocol.Event;
      const expected = this.expected.findIndex(({ matches }) => matches(event));
      if (expected >= 0) this.expected.splice(expected, 1)[0]?.resolve(event);
      else this.backlog.push(event);
    }
  }
}
