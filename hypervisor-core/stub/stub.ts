/** The RSP server: one debugger at a time, over any byte stream. */
import type { Duplex } from 'node:stream';
import type { Disposable, Machine, Stop } from '../machine/api.ts';
import { encodePacket } from '../protocol/rsp.ts';
import { Connection } from './connection.ts';

export class Stub {
  readonly #machine: Machine;
  readonly #subscriptions: readonly Disposable[];
  #lastStop: Stop = { vcpu: 0, reason: { kind: 'entry' } };
  #connection: Connection | undefined;
  #serving: Promise<void> = Promise.resolve();

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#subscriptions = [
      machine.onStop((stop) => {
        this.#lastStop = stop;
        this.#connection?.stopped(stop);
      }),
      machine.onPrint((text) => this.#connection?.printed(text)),
      machine.onState((state) => {
        if (state.kind === 'ended') this.#connection?.ended(state.end);
      }),
    ];
  }

  /** Whether a client is connected. */
  get taken(): boolean {
    return this.#connection !== undefined;
  }

  /** Takes a new client over `socket`; while another is there, tells it so and closes. */
  accept(socket: Duplex): void {
    socket.on('error', () => socket.destroy());
    if (this.#connection) {
      refuse(socket);
      return;
    }
    const connection = new Connection(this.#machine, socket, this.#lastStop);
    this.#connection = connection;
    this.#serving = connection.serve().finally(() => {
      this.#connection = undefined;
    });
  }

  /** Parts from the client, if there is one. */
  async close(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#connection?.close();
    await this.#serving;
  }
}

/** The answer to its first packet is what a debugger shows to its user. */
function refuse(socket: Duplex): void {
  socket.once('data', () => {
    socket.write('+');
    socket.end(encodePacket('E.another debugger is connected to this guest'));
  });
}
