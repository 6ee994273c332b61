/**
 * The paravirtual console (xen/include/public/io/console.h): a page with two rings, and an event channel by which each
 * side says that there is something new. What the guest prints goes where its first serial port goes.
 */
import type { Platform } from './abi.ts';
import { PORT_STATE, XenDomain } from './xen-domain.ts';

/**
 * Guest-physical page of the rings: the last one of conventional memory, which every memory map that a guest gets calls
 * reserved.
 */
const CONSOLE_PAGE = 0x9_f000n;
const RING = { input: 0, inputBytes: 1024, output: 1024, outputBytes: 2048 };
/** Ring indices, which count on and on. */
const INDEX = { inputConsumer: 3072, inputProducer: 3076, outputConsumer: 3080, outputProducer: 3084 };
/** HVM_PARAM_CONSOLE_PFN and HVM_PARAM_CONSOLE_EVTCHN. */
const PARAMETER = { page: 17, port: 18 };

export class XenConsole {
  readonly #platform: Platform;
  readonly #domain: XenDomain;

  constructor(platform: Platform) {
    this.#platform = platform;
    this.#domain = new XenDomain(platform);
  }

  /** The page's frame and the port, made when a guest first asks; as parameters of the domain. */
  parameter(index: number): bigint | undefined {
    if (index === PARAMETER.page) return CONSOLE_PAGE >> 12n;
    if (index !== PARAMETER.port) return undefined;
    if (this.#port === 0) {
      const port = this.#domain.allocate(PORT_STATE.interdomain, 0, 0) ?? 0;
      this.#platform.memory.writePhysical(CONSOLE_PAGE, new Uint8Array(4096));
      this.#domain.setParameter(PARAMETER.port, BigInt(port));
    }
    return BigInt(this.#port);
  }

  /** Takes what the guest has put into the ring; empty for another port than the console's. */
  drain(port: number): Uint8Array {
    if (port !== this.#port) return new Uint8Array();
    const produced = this.#index('outputProducer');
    const consumed = this.#index('outputConsumer');
    // More than the ring holds is a guest's mistake; what is there is printed.
    const count = Math.min((produced - consumed) >>> 0, RING.outputBytes);
    const ring = this.#platform.memory.readPhysical(CONSOLE_PAGE + BigInt(RING.output), RING.outputBytes);
    const bytes = Uint8Array.from({ length: count }, (_, at) => ring[(consumed + at) % RING.outputBytes] ?? 0);
    this.#setIndex('outputConsumer', produced);
    if (count > 0) this.#domain.raise(port);
    return bytes;
  }

  /** Puts what was typed into the ring, as much as there is room for; false while the guest has no such console. */
  type(bytes: Uint8Array): boolean {
    if (this.#port === 0 || this.#domain.port(this.#port)?.state !== PORT_STATE.interdomain) return false;
    const produced = this.#index('inputProducer');
    const room = RING.inputBytes - ((produced - this.#index('inputConsumer')) >>> 0);
    const taken = bytes.subarray(0, Math.max(0, room));
    for (const [at, byte] of taken.entries()) {
      const place = CONSOLE_PAGE + BigInt(RING.input + ((produced + at) % RING.inputBytes));
      this.#platform.memory.writePhysical(place, Uint8Array.of(byte));
    }
    this.#setIndex('inputProducer', (produced + taken.length) >>> 0);
    this.#domain.raise(this.#port);
    return true;
  }

  get #port(): number {
    return Number(this.#domain.parameter(PARAMETER.port) ?? 0n);
  }

  #index(name: keyof typeof INDEX): number {
    const bytes = this.#platform.memory.readPhysical(CONSOLE_PAGE + BigInt(INDEX[name]), 4);
    return bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  #setIndex(name: keyof typeof INDEX, value: number): void {
    this.#platform.memory.writePhysical(
      CONSOLE_PAGE + BigInt(INDEX[name]),
      new Uint8Array(Uint32Array.of(value).buffer),
    );
  }
}
