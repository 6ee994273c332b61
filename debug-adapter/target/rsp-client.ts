/**
 * The client's side of an RSP connection: one request at a time, acknowledgements until the stub lets us drop them, and
 * stop replies told apart from answers: while the guest runs, no request is sent, so what comes then is a stop reply.
 * What the packets mean is `rsp-target.ts`'s business.
 */
import type { Socket } from 'node:net';
import { encodePacket, RspDecoder, type RspEvent } from '../../hypervisor-core/protocol/rsp.ts';
import { TargetError } from './target.ts';

/** A stub that is silent for so long, in milliseconds, will not answer any more. */
const PATIENCE = 30_000;
/** How often a damaged packet is sent again before the connection counts as broken. */
const MOST_RETRIES = 3;

const CLOSED = 'the connection was closed';

interface Waiting {
  readonly resolve: (payload: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  /** Console output that came before the answer (`O` packets of `qRcmd`). */
  readonly output: ((hex: string) => void) | undefined;
  /** What may come before the answer and is none. */
  readonly skip: RegExp | undefined;
}

export class RspClient {
  private readonly decoder = new RspDecoder({ runLengths: true });
  private acknowledge = true;
  private waiting: Waiting | undefined;
  private line: Promise<unknown> = Promise.resolve();
  private lastSent: Uint8Array | undefined;
  private retries = 0;
  private closed: string | undefined;
  /** From the packet that lets the guest go to its stop reply. */
  private running = false;
  /** Runs from an interrupt to the stop that it brings about. */
  private stopTimer: NodeJS.Timeout | undefined;

  /** A packet that answers no request: a stop reply. */
  onStopReply: (payload: string) => void = () => undefined;
  /** Text that the stub prints while the guest runs. */
  onOutput: (text: string) => void = () => undefined;
  onClosed: (reason: string) => void = () => undefined;

  /** `patience`: milliseconds after which a stub that owes something counts as lost. */
  constructor(
    private readonly socket: Socket,
    private readonly patience = PATIENCE,
  ) {
    socket.on('data', (chunk: Uint8Array) => this.take(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.close(isGone(error) ? CLOSED : error.message));
    socket.on('close', () => this.close(CLOSED));
  }

  /**
   * Sends `payload` and resolves with the answer. Requests made meanwhile wait their turn. Throws `TargetError` while the
   * guest runs, because its stop reply could then be taken for the answer.
   */
  request(payload: string | Uint8Array, output?: (hex: string) => void, skip?: RegExp): Promise<string> {
    return this.inTurn(
      () =>
        new Promise<string>((resolve, reject) => {
          if (this.closed !== undefined) throw new TargetError(this.closed);
          if (this.running) throw new TargetError('the guest is running; stop it first');
          const timer = setTimeout(() => this.close(`no answer for ${this.patience / 1000} s`), this.patience);
          timer.unref();
          this.waiting = { resolve, reject, timer, output, skip };
          this.send(payload);
        }),
    );
  }

  /** Sends a packet that lets the guest go: it has no answer but a later stop reply. */
  resume(payload: string): Promise<void> {
    return this.inTurn(async () => {
      if (this.closed !== undefined) throw new TargetError(this.closed);
      this.running = true;
      this.send(payload);
    });
  }

  /** Sends the interrupt byte, after whatever was sent before. A stub that does not stop then counts as lost. */
  interrupt(): Promise<void> {
    return this.inTurn(async () => {
      if (this.closed !== undefined || !this.running) return;
      this.socket.write(Uint8Array.of(3));
      const late = () => this.close(`no stop for ${this.patience / 1000} s after an interrupt`);
      this.stopTimer ??= setTimeout(late, this.patience);
      this.stopTimer.unref();
    });
  }

  /** Sends a last packet, which may have no answer, at once: a stub that owes an answer is not waited for. */
  part(payload: string): void {
    if (this.closed === undefined) this.send(payload);
    this.end();
  }

  /** From now on neither side acknowledges; the stub has agreed to it. */
  dropAcknowledgements(): void {
    this.acknowledge = false;
  }

  end(): void {
    this.close('the session is over');
  }

  private inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.line.then(action);
    this.line = result.catch(() => undefined);
    return result;
  }

  private send(payload: string | Uint8Array): void {
    this.lastSent = encodePacket(payload);
    this.retries = 0;
    this.socket.write(this.lastSent);
  }

  private take(chunk: Uint8Array): void {
    for (const event of this.decoder.push(chunk)) this.handle(event);
  }

  private handle(event: RspEvent): void {
    switch (event.kind) {
      case 'packet':
        if (this.acknowledge) this.socket.write('+');
        this.deliver(event.payload);
        break;
      case 'nak':
        this.sendAgain();
        break;
      case 'bad':
        if (this.acknowledge && event.reason === 'checksum') this.socket.write('-');
        else this.close(`a damaged packet arrived (${event.reason})`);
        break;
      case 'ack':
      case 'notification':
      case 'interrupt':
        break;
    }
  }

  private sendAgain(): void {
    if (!this.acknowledge || !this.lastSent) return;
    if (++this.retries > MOST_RETRIES) this.close('the stub refuses our packets as damaged');
    else this.socket.write(this.lastSent);
  }

  private deliver(payload: string): void {
    const { waiting } = this;
    const isOutput = /^O[0-9a-f]/i.test(payload);
    if (!waiting) {
      if (isOutput) this.onOutput(Buffer.from(payload.slice(1), 'hex').toString('utf8'));
      else {
        this.running = false;
        this.forgetInterrupt();
        this.onStopReply(payload);
      }
    } else if (isOutput) {
      waiting.output?.(payload.slice(1));
    } else if (!waiting.skip?.test(payload)) {
      clearTimeout(waiting.timer);
      this.waiting = undefined;
      waiting.resolve(payload);
    }
  }

  private forgetInterrupt(): void {
    clearTimeout(this.stopTimer);
    this.stopTimer = undefined;
  }

  private close(reason: string): void {
    if (this.closed !== undefined) return;
    this.closed = reason;
    this.forgetInterrupt();
    this.socket.destroy();
    if (this.waiting) {
      clearTimeout(this.waiting.timer);
      this.waiting.reject(new TargetError(reason));
      this.waiting = undefined;
    }
    this.onClosed(reason);
  }
}

/** A stub that ends while something is on its way to it resets the connection: it is gone all the same. */
const isGone = ({ code }: NodeJS.ErrnoException): boolean => code === 'ECONNRESET' || code === 'EPIPE';
