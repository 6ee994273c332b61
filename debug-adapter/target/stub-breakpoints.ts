/** What is planted by `Z` packets of a stub. */
import { formatBreakpointOptions } from '../../hypervisor-core/protocol/agent/breakpoint-options.ts';
import { Z_TYPE } from './stub-abilities.ts';
import type { StubLine } from './stub-line.ts';
import { errorText } from './stub-replies.ts';
import { type BreakpointKind, type BreakpointOrders, TargetError } from './target.ts';

/** A breakpoint that the stub has. */
interface Planted {
  readonly kind: BreakpointKind;
  readonly address: bigint;
  /** What follows the place in its packet. */
  readonly options: string;
}

const isTrap = ({ kind }: Planted) => kind === 'software' || kind === 'hardware';

/** The arguments of a `Z` or `z` packet. */
const zPacket = (kind: BreakpointKind, address: bigint, length: number) =>
  `${Z_TYPE[kind]},${BigInt.asUintN(64, address).toString(16)},${length.toString(16)}`;

export class StubBreakpoints {
  readonly #line: StubLine;
  /** By the packet without its options. */
  readonly #planted = new Map<string, Planted>();

  constructor(line: StubLine) {
    this.#line = line;
  }

  async insert(kind: BreakpointKind, address: bigint, length: number, orders: BreakpointOrders): Promise<void> {
    const packet = zPacket(kind, address, length);
    const options = formatBreakpointOptions(orders);
    await this.#send('Z', kind, packet + options, address);
    this.#planted.set(packet, { kind, address, options });
  }

  async remove(kind: BreakpointKind, address: bigint, length: number): Promise<void> {
    const packet = zPacket(kind, address, length);
    await this.#send('z', kind, packet, address);
    this.#planted.delete(packet);
  }

  async removeAll(): Promise<void> {
    for (const [packet, { kind, address }] of this.#planted) await this.#send('z', kind, packet, address);
    this.#planted.clear();
  }

  /** True while a vCPU can run into any of them by executing. */
  get hasTraps(): boolean {
    return [...this.#planted.values()].some(isTrap);
  }

  isTrapAt(address: bigint): boolean {
    return this.#trapsAt(address).length > 0;
  }

  /** Runs `action` with no trap at an address, and puts back what was there. */
  async without<Result>(address: bigint, action: () => Promise<Result>): Promise<Result> {
    const traps = this.#trapsAt(address);
    for (const [packet, { kind }] of traps) await this.#send('z', kind, packet, address);
    const result = await action();
    for (const [packet, { kind, options }] of traps) await this.#send('Z', kind, packet + options, address);
    return result;
  }

  #trapsAt(address: bigint): readonly (readonly [packet: string, Planted])[] {
    return [...this.#planted].filter(([, planted]) => isTrap(planted) && planted.address === address);
  }

  async #send(letter: 'Z' | 'z', kind: BreakpointKind, packet: string, address: bigint): Promise<void> {
    const { client, name, stub } = this.#line;
    if (!stub.breakpoints.has(kind)) throw new TargetError(`${name} has no ${kind} breakpoints.`);
    const reply = await client.request(`${letter}${packet}`);
    if (reply !== 'OK') {
      throw new TargetError(`No ${kind} breakpoint at 0x${address.toString(16)}: ${errorText(reply)}`);
    }
  }
}
