/** A debugger's side of the remote serial protocol, as bare as it gets: for tests on hosts that have no gdb. */
import { connect, type Socket } from 'node:net';
import { encodePacket, RspDecoder } from '../../hypervisor-core/protocol/rsp.ts';
import { patience } from '../patience.ts';

/** Milliseconds after which a missing reply fails the test; long, for hosts that are emulated. */
const DEADLINE = patience(60_000);

export class RspClient {
  readonly socket: Socket;
  /** Console text (`O` packets) so far. */
  text = '';
  readonly #decoder = new RspDecoder({ runLengths: true });
  readonly #replies: string[] = [];
  readonly #waiting: { resolve: (reply: string) => void; reject: (error: Error) => void }[] = [];
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      for (const event of this.#decoder.push(chunk)) {
        if (event.kind !== 'packet') continue;
        if (/^O[0-9a-f]/.test(event.payload)) this.text += Buffer.from(event.payload.slice(1), 'hex').toString();
        else this.#arrived(event.payload);
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#closed = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the stub closed the connection'));
    });
  }

  /** Connects without acknowledgements, as every debugger does over a reliable line. */
  static async open(path: string, features = 'swbreak+;hwbreak+;error-message+'): Promise<RspClient> {
    const client = await RspClient.raw(path);
    await client.ask(`qSupported:${features}`);
    await client.ask('QStartNoAckMode');
    return client;
  }

  /** A connection on which nothing has been said yet. */
  static async raw(path: string): Promise<RspClient> {
    const socket = connect(path);
    const client = new RspClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  /** Sends a packet and waits for the next reply, which may be a stop. */
  ask(payload: string): Promise<string> {
    this.send(payload);
    return this.reply();
  }

  send(payload: string): void {
    this.socket.write(encodePacket(payload));
  }

  interrupt(): void {
    this.socket.write('\x03');
  }

  /** The next packet that is not console text. */
  reply(): Promise<string> {
    const ready = this.#replies.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#closed) return Promise.reject(new Error('the stub closed the connection'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no reply within ${DEADLINE / 1000} s`)), DEADLINE);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          then(value);
        };
      this.#waiting.push({ resolve: settle(resolve), reject: settle(reject) });
    });
  }

  /** Resolves when the stub has closed the connection. */
  closed(): Promise<void> {
    return this.#closed ? Promise.resolve() : new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  close(): void {
    this.socket.destroy();
  }

  #arrived(payload: string): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(payload);
    else this.#replies.push(payload);
  }
}
