/** What a packet handler is, and what it sees of the connection. One file in packets/ holds one family of packets. */
import type { Machine, Stop, Vcpu } from '../machine/api.ts';
import type { ThreadId } from '../protocol/rsp.ts';
import type { BreakpointSet } from './breakpoint-set.ts';

export interface Client {
  readonly machine: Machine;
  /** The vCPU that registers and memory are read from (`Hg`). */
  readonly vcpu: Vcpu;
  selectVcpu(index: number): void;
  /** What plain `c` and `s` resume (`Hc`). */
  continueThread: ThreadId;
  /** Set while memory packets mean guest-physical addresses. */
  physicalMemory: boolean;
  /** What holds during a single step, in QEMU's bits (packets/qemu.ts). */
  stepFlags: number;
  /** What the client said of itself in `qSupported`, e.g. `swbreak+`. */
  features: ReadonlySet<string>;
  readonly breakpoints: BreakpointSet;
  readonly lastStop: Stop;
  /** Acknowledgements end after the reply to the packet at hand. */
  stopAcknowledging(): void;
  /** Text for the user's terminal, ahead of the reply. */
  print(text: string): void;
  /** Lets vCPUs go; the stop reply comes later. */
  resume(actions: Parameters<Machine['resume']>[0]): void;
  /** Closes the connection once the reply is out. */
  leave(): void;
}

/** Text, or bytes where they may be many: the one is turned into the other on the way. */
export type Reply = string | Uint8Array;

export interface PacketHandler {
  /** One character, or for packets of the `q`, `Q` and `v` families the word up to the first `:`, `;`, `,` or `=`. */
  readonly name: string;
  /** What `qSupported` says because this handler is there. */
  readonly feature?: string;
  /** Whether it is answered while vCPUs run; all others are refused until the next stop. */
  readonly whileRunning?: boolean;
  /**
   * Answers one packet; `rest` is what follows the name. Undefined: no reply now. The empty string: not supported.
   * Throws {@link PacketError} for what the client got wrong or cannot have. A reply that takes time is promised; packets
   * after this one wait for it.
   */
  handle(client: Client, rest: string): Reply | undefined | Promise<Reply | undefined>;
}

/** Error numbers in `E` replies follow errno, as far as anyone looks at them. */
export const ErrorCode = { noDocument: 0, refused: 1, fault: 14, invalid: 22 } as const;

/** An `E` reply; `message` is sent too where the client can show it. */
export class PacketError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A packet that does not have the form that the manual gives it. */
export function malformed(packet: string): PacketError {
  return new PacketError(ErrorCode.invalid, `malformed packet: ${packet}`);
}

/** Splits a packet into the handler's name and the rest. */
export function splitPacket(payload: string): { name: string; rest: string } {
  const name = /^[qQv]/.test(payload) ? (/^[^:;,=]+/.exec(payload)?.[0] ?? payload) : payload.slice(0, 1);
  return { name, rest: payload.slice(name.length) };
}
