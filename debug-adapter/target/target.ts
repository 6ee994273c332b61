/**
 * The seam between the adapter and whatever runs the guest: our core (RSP and inspect), QEMU or any other stub (RSP
 * alone), or a recorded fake. The whole adapter suite runs over each of them.
 */
import type { MessageConnection } from 'vscode-jsonrpc';
import type { BreakpointOptions } from '../../hypervisor-core/protocol/agent/breakpoint-options.ts';

export interface TargetThread {
  /** As in RSP: 1 is the first vCPU. */
  readonly id: number;
  readonly name: string;
}

/** One register of the stub's target description. */
export interface RegisterInfo {
  readonly name: string;
  /** Width in bits. */
  readonly bits: number;
  /** The feature or group it came from, e.g. `general`, `system`, `float`, `vector`. */
  readonly group: string;
}

/** A register that the stub numbers. */
export interface StubRegister extends RegisterInfo {
  /** As in its packets and in agent expressions. */
  readonly regnum: number;
}

export type StopReason =
  | { readonly kind: 'breakpoint'; readonly address?: bigint; readonly hardware: boolean }
  | { readonly kind: 'watchpoint'; readonly address: bigint; readonly access: 'write' | 'read' | 'access' }
  | { readonly kind: 'step' }
  | { readonly kind: 'pause' }
  /** The guest is about to run its handler; `vectors` are those that the handler serves. */
  | { readonly kind: 'exception'; readonly message: string; readonly vectors: readonly number[] }
  /** It did, or is about to do, what the user asked to be stopped at: an access, a call, a write of a control register. */
  | { readonly kind: 'event'; readonly message: string }
  /** It cannot go on, or does so at its own risk; after a triple fault it ends when it is let go. */
  | { readonly kind: 'fault'; readonly message: string; readonly tripleFault?: boolean };

export interface TargetStop {
  readonly thread: number;
  readonly reason: StopReason;
}

/** The guest is gone; nothing can be resumed any more. */
export interface TargetEnd {
  readonly exitStatus: number;
  readonly message: string;
}

export type ResumeKind =
  | { readonly kind: 'continue' }
  | { readonly kind: 'step' }
  | { readonly kind: 'range-step'; readonly start: bigint; readonly end: bigint };

/** Execution breakpoints, and watchpoints by what they watch for. */
export type BreakpointKind = 'software' | 'hardware' | 'write' | 'read' | 'access';

/** Agent expressions: conditions, of which one must not be 0 for a stop, and commands to run instead of it. */
export type BreakpointOrders = Pick<BreakpointOptions, 'conditions' | 'commands'>;

export interface Target {
  /** Words for messages: `Ringside core`, `QEMU stub at localhost:1234`. */
  readonly name: string;
  readonly registers: readonly StubRegister[];
  /**
   * What the GDB protocol has no words for: of our own core, or as far as a monitor (QEMU's) tells it. Requests that
   * nobody there can answer are rejected with the reason.
   */
  readonly inspect?: MessageConnection;
  /** What the user will miss, in sentences. */
  readonly missing: readonly string[];
  readonly can: {
    readonly rangeStep: boolean;
    readonly hardwareBreakpoints: boolean;
    readonly watchpoints: boolean;
    readonly physicalMemory: boolean;
    /** Evaluates conditions of breakpoints by itself. */
    readonly conditions: boolean;
    /** Evaluates all conditions at each visit, counts in variables that are this session's alone, and prints. */
    readonly counts: boolean;
  };

  threads(): Promise<readonly TargetThread[]>;
  /** All registers that the stub hands out in one go, by name; little-endian bytes. */
  readRegisters(thread: number): Promise<ReadonlyMap<string, Uint8Array>>;
  readRegister(thread: number, name: string): Promise<Uint8Array>;
  /** Registers that the stub has no number for, from a monitor: they can be seen, not set. Empty where there is none. */
  systemRegisters(thread: number): Promise<ReadonlyMap<string, bigint>>;
  writeRegister(thread: number, name: string, value: Uint8Array): Promise<void>;
  /** Guest-virtual memory as `thread` sees it; short where a page is not mapped, empty when nothing is. */
  readMemory(thread: number, address: bigint, length: number): Promise<Uint8Array>;
  writeMemory(thread: number, address: bigint, data: Uint8Array): Promise<void>;
  readPhysical(address: bigint, length: number): Promise<Uint8Array>;
  writePhysical(address: bigint, data: Uint8Array): Promise<void>;

  /** Throws `TargetError` with the stub's reason. `length` counts for watchpoints only; `orders` only where the target can. */
  insertBreakpoint(kind: BreakpointKind, address: bigint, length?: number, orders?: BreakpointOrders): Promise<void>;
  removeBreakpoint(kind: BreakpointKind, address: bigint, length?: number): Promise<void>;

  /** Resolves when the stub has taken the command, not at the stop. `others`: what vCPUs other than `thread` do. */
  resume(thread: number, how: ResumeKind, others: 'continue' | 'stay'): Promise<void>;
  interrupt(): Promise<void>;
  /** A variable that agent expressions count in, by its number. */
  readVariable(number: number): Promise<bigint>;
  setVariable(number: number, value: bigint): Promise<void>;
  /** `monitor` command; the stub's text. */
  monitor(command: string): Promise<string>;
  kill(): Promise<void>;
  /** Takes all breakpoints away and lets the guest run on without us; the guest must stand still. */
  detach(): Promise<void>;

  onStop(listener: (stop: TargetStop) => void): void;
  /** Text that commands of breakpoints print, in pieces as they come, among other words of the stub. */
  onPrint(listener: (text: string) => void): void;
  onEnd(listener: (end: TargetEnd) => void): void;
  /** The stub went away without an end: its process died or the connection broke. */
  onLost(listener: (message: string) => void): void;
}

/** Something the target refused or cannot do; `message` is fit to be shown. */
export class TargetError extends Error {}
