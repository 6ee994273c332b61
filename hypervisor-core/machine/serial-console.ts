/** The main thread's end of one serial port. */
import type { SerialHandler } from '../devices/serial16550.ts';
import type { Console, Disposable } from './api.ts';
import { ConsoleOutput } from './console-output.ts';
import type { ConsoleRing } from './console-ring.ts';
import type { PortBus } from './port-bus.ts';

export class SerialConsole implements Console {
  readonly #ports: PortBus;
  readonly #handler: SerialHandler;
  readonly #output: ConsoleOutput;

  /** The port whose model has this name, and the ring that it sends to. */
  constructor(ports: PortBus, name: string, ring: ConsoleRing | undefined) {
    const handler = ports.device(name) as SerialHandler | undefined;
    if (!handler || !ring) throw new RangeError(`There is no serial port ${name}.`);
    this.#ports = ports;
    this.#handler = handler;
    this.#output = new ConsoleOutput(ring);
  }

  history(): Uint8Array {
    return this.#output.history();
  }

  input(data: Uint8Array): void {
    this.#ports.lock.hold(() => {
      for (const byte of data) this.#handler.receive(byte);
    });
  }

  onOutput(listener: (data: Uint8Array) => void): Disposable {
    return this.#output.onOutput(listener);
  }

  /** True while the guest wants an interrupt for each byte received. */
  get listening(): boolean {
    return this.#handler.listening;
  }

  drain(): void {
    this.#output.drain();
  }

  flush(): void {
    this.#output.flush();
  }
}
