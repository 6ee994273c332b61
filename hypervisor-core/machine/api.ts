/**
 * What the two servers (stub/ and inspect/) and the command line see of a machine. Everything behind it, workers,
 * mailboxes, KVM file descriptors, stays inside this room.
 */
import type { BreakpointOptions } from '../protocol/agent/breakpoint-options.ts';
import type {
  DeviceState,
  ExitBatch,
  ExitCounter,
  HypercallRecord,
  InterruptLog,
  InterruptState,
  MachineInfo,
  MachineState,
  MemoryMap,
  MsixVector,
  Msr,
  SnapshotInfo,
  VcpuTimes,
} from '../protocol/inspect.ts';
import type { StopOn } from '../protocol/stop-on.ts';

export interface Disposable {
  dispose(): void;
}

/** Guest-physical memory. Reads and writes are clipped to RAM, never throw for an address, and work while the guest runs. */
export interface PhysicalMemory {
  readonly size: number;
  /** Bytes read from `gpa`; shorter than `length` where RAM ends, empty in a hole. */
  read(gpa: bigint, length: number): Uint8Array;
  /** Bytes written. */
  write(gpa: bigint, data: Uint8Array): number;
  /** Where the byte at `gpa` lies in the core's own address space; undefined where no RAM is. */
  host(gpa: bigint): bigint | undefined;
}

/**
 * Registers of one stopped vCPU, by the names of the target description (protocol/target-description.ts): `rax`, `rip`,
 * `eflags`, `cs`, `cr3`, `efer`, `fs_base`, ... Values are little-endian bytes of the register's own width.
 */
export interface VcpuRegisters {
  read(name: string): Uint8Array;
  write(name: string, value: Uint8Array): void;
}

export type BreakpointKind = 'software' | 'hardware' | 'write' | 'read' | 'access';

/** Where a vCPU came to rest, and why. */
export interface Stop {
  readonly vcpu: number;
  readonly reason:
    | { readonly kind: 'entry' }
    | { readonly kind: 'pause' }
    | { readonly kind: 'step' }
    | {
        readonly kind: 'breakpoint';
        readonly address: bigint;
        readonly hardware: boolean;
        /** Its condition could not be evaluated: how that went, in words. */
        readonly problem?: string;
      }
    | {
        readonly kind: 'watchpoint';
        readonly address: bigint;
        readonly access: 'write' | 'read' | 'access';
        readonly value?: bigint;
      }
    /** The guest did what it was to be stopped on: in words, and for an exception the vectors that its handler serves. */
    | { readonly kind: 'event'; readonly message: string; readonly vectors?: readonly number[] }
    /** The guest's own int3 that nobody but the debugger handles, or a stop it cannot go on from. */
    | { readonly kind: 'triple-fault'; readonly message: string }
    | { readonly kind: 'emulation-failure'; readonly message: string; readonly instruction: Uint8Array }
    | { readonly kind: 'internal-error'; readonly message: string };
}

export interface ResumeAction {
  readonly vcpu: number;
  /** `range-step` goes on until RIP leaves [start, end). Steps hold interrupts off unless `interrupts` is set. */
  readonly action:
    | { readonly kind: 'continue' }
    | { readonly kind: 'step'; readonly interrupts?: boolean }
    | { readonly kind: 'range-step'; readonly start: bigint; readonly end: bigint; readonly interrupts?: boolean };
}

export interface Vcpu {
  readonly index: number;
  readonly registers: VcpuRegisters;
  /** Registers of a stopped vCPU only; throws while it runs. */
  interrupts(): InterruptState;
  /** Has its local APIC receive an interrupt, or without a vector an NMI; a `RangeError` says why it cannot. */
  inject(vector?: number): void;
  msrs(): readonly Msr[];
  writeMsr(index: number, value: bigint): void;
  /** Walks the guest's page tables as the MMU would; undefined where nothing is mapped. */
  translate(gva: bigint): bigint | undefined;
}

/** What the guest prints. */
export interface ConsoleLog {
  /** The last bytes that the guest sent. */
  history(): Uint8Array;
  onOutput(listener: (data: Uint8Array) => void): Disposable;
}

export interface Console extends ConsoleLog {
  input(data: Uint8Array): void;
}

/**
 * Snapshots of a machine that stands still. All but `list` throw or reject with {@link SnapshotError}, or with an Error while
 * the guest runs. Going back is told as a stop with reason `entry`.
 */
export interface Snapshots {
  list(): readonly SnapshotInfo[];
  /** Replaces one of the same name. */
  take(name: string): Promise<SnapshotInfo>;
  restore(name: string): Promise<void>;
  remove(name: string): void;
  /** Writes one into a file; fails where it cannot be written. */
  save(name: string, path: string): Promise<void>;
  /** Adds the one in a file, made by {@link save} on a machine like this one. */
  load(path: string): Promise<SnapshotInfo>;
  /** Restores one, which from now on is where a restart goes back to. */
  startFrom(name: string): Promise<void>;
  /** Goes back to before the first instruction, also after the guest has ended. */
  restart(): Promise<void>;
}

/** A snapshot that cannot be had; `message` says what to do. */
export class SnapshotError extends Error {}

export interface Machine {
  readonly info: MachineInfo;
  readonly vcpus: readonly Vcpu[];
  readonly memory: PhysicalMemory;
  readonly state: MachineState;
  memoryMap(): MemoryMap;

  /** Virtual memory of one vCPU, with planted traps hidden. Short reads where a page is not mapped. */
  readVirtual(vcpu: number, gva: bigint, length: number): Uint8Array;
  /** Bytes written; planted traps stay planted. */
  writeVirtual(vcpu: number, gva: bigint, data: Uint8Array): number;

  /**
   * Same address twice counts twice, and stops when one of both wants it. `options` are for execution breakpoints; they are
   * evaluated beside the vCPU. Throws `BreakpointError` with a reason a person can act on.
   */
  insertBreakpoint(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void;
  /** `options` is the object that the breakpoint was inserted with. */
  removeBreakpoint(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void;
  /**
   * What else the guest is to be stopped on, in place of what `owner` asked for before: all of it or, with a
   * `BreakpointError` that says why this host cannot, nothing. While the guest runs it can only be taken back.
   */
  stopOn(owner: object, stops: readonly StopOn[]): void;
  /** What `owner` asked for. */
  stopsOf(owner: object): readonly StopOn[];
  /**
   * Where functions of a hypervisor in the guest take calls of the convention `xen-pv` that are to be traced, in place of what
   * `owner` asked for before; running or not. Throws `BreakpointError` where this host has no such breakpoints.
   */
  recordCalls(owner: object, places: readonly bigint[]): void;
  /**
   * Has the calls traced that the guest makes to KVM by VMCALL and VMMCALL in supervisor code, which KVM itself answers; false:
   * no more. Such instructions are looked for now: while the guest runs it can only be taken back. Gives how many there are.
   */
  recordInstructions(owner: object, on: boolean): number;
  /** What `owner` asked for of {@link recordCalls}. */
  recordedBy(owner: object): readonly bigint[];
  /** The 64-bit variables, from 0 to 1023, that breakpoints' expressions count in; 0 at first. */
  readonly variables: { get(index: number): bigint; set(index: number, value: bigint): void };
  /** Text that breakpoints' commands print, while the guest runs. */
  onPrint(listener: (text: string) => void): Disposable;

  /** Lets vCPUs go; those not named stay stopped. All-stop: the first to stop stops all. */
  resume(actions: readonly ResumeAction[]): void;
  /** Asks for a stop with reason `pause`; no effect on a stopped machine. */
  interrupt(): void;
  /** Ends the guest at once. Registers and memory stay readable until {@link close}. */
  kill(): void;
  /** Kicks the vCPUs, ends their workers and gives every descriptor back. */
  close(): Promise<void>;

  onStop(listener: (stop: Stop) => void): Disposable;
  onState(listener: (state: MachineState) => void): Disposable;

  /** What a terminal is for: the output of the first serial port, and what is typed for it and for the keyboard. */
  readonly console: Console;
  /** COM1 to COM4. */
  readonly serialPorts: readonly Console[];
  /** What firmware says of itself on port 0x402. */
  readonly firmwareLog: ConsoleLog;
  /** State of the device models for the views, running or not. */
  devices(): readonly DeviceState[];
  /** MSI-X tables of the devices that have it on, and what was sent. */
  messages(): readonly MsixVector[];
  /** The last interrupts that came from devices, hypercalls and {@link Vcpu.inject}, at most `limit`; running or not. */
  interruptLog(limit: number): InterruptLog;

  readonly snapshots: Snapshots;

  readonly exits: {
    /** Exits are written down until it is disposed of; the first are those `from`, one number per vCPU. */
    trace(): Disposable & { readonly from: readonly number[] };
    /** Exits with sequence numbers from `from`, one per vCPU, on, oldest first. */
    read(from: readonly number[], limit: number): ExitBatch;
    /** Exits counted since the machine was made; always, and running or not, as {@link times} are. */
    counters(): readonly ExitCounter[];
    times(): readonly VcpuTimes[];
  };

  readonly hypercalls: {
    /** Records from sequence number `from` on, oldest first; `dropped` counts those already overwritten. */
    read(from: number, limit: number): { records: HypercallRecord[]; dropped: number; total: number };
  };
}

/** A breakpoint that cannot be had, e.g. no debug register left; `message` says what to do. */
export class BreakpointError extends Error {}
