/** The inspect server: any number of clients over byte streams. */
import type { Duplex } from 'node:stream';
import type { Machine } from '../machine/api.ts';
import { InspectClient } from './client.ts';

export class InspectServer {
  readonly #machine: Machine;
  readonly #onQuit: () => void;
  readonly #clients = new Set<InspectClient>();

  /** `onQuit`: a client asked the core to end; the guest is dead already. */
  constructor(machine: Machine, onQuit: () => void) {
    this.#machine = machine;
    this.#onQuit = onQuit;
  }

  accept(socket: Duplex): void {
    const client = new InspectClient(this.#machine, socket, this.#onQuit);
    this.#clients.add(client);
    void client.gone.then(() => this.#clients.delete(client));
  }

  /** Parts from all clients; what was sent to them arrives. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.close()));
  }
}
