/**
 * The inspect channel: everything a hypervisor can see that the GDB remote protocol has no words for.
 * JSON-RPC 2.0 over a Unix socket, with Content-Length framing as in the Language Server Protocol. This file is the
 * whole contract: a request or notification that is not declared here does not exist.
 *
 * Times are microseconds since the machine was made; sizes and lengths are bytes; bytes are base64.
 */
import { NotificationType, RequestType, RequestType0 } from 'vscode-jsonrpc';
import type { Resolution } from './framebuffer.ts';
import type { Hex } from './hex.ts';

// ---------------------------------------------------------------- machine

/** What the guest sees at CPUID leaf 0x4000_0000 and which hypercall convention is answered. */
export type Personality = 'none' | 'kvm' | 'xen' | 'hyperv';

export interface MachineInfo {
  readonly version: string;
  readonly pid: number;
  readonly program: string;
  readonly bootProtocol: string;
  readonly cpus: number;
  /** Bytes of guest RAM. */
  readonly memory: number;
  readonly personality: Personality;
  /**
   * VMCALL and VMMCALL instructions in the kernel's code that lead to the trace. With personality `kvm`, calls made
   * elsewhere (modules, user code, kernels that are no ELF file) are answered by KVM and not seen.
   */
  readonly callSites: number;
  readonly host: HostReport;
}

/** Why a guest is gone for good. `exitStatus` is what `ringside run` exits with. */
export interface GuestEnd {
  readonly cause: 'power-off' | 'debug-exit' | 'reset' | 'triple-fault' | 'killed' | 'error';
  readonly exitStatus: number;
  /** One sentence for a person. */
  readonly message: string;
}

export type MachineState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'running' }
  | { readonly kind: 'ended'; readonly end: GuestEnd };

// ---------------------------------------------------------------- host probe

/** How a one-byte software breakpoint is made to leave KVM_RUN on this host. */
export type TrapKind = 'int3' | 'icebp' | 'in-dx';

/** The findings of the host probe: what this KVM really does, not what its flags promise. */
export interface HostReport {
  readonly ok: boolean;
  /** When not ok: what is missing and what to do about it, ready to be shown. */
  readonly problem?: HostProblem;
  /** `kvm_pvm`, `kvm_amd`, `kvm_intel` as the loaded module says, or `unknown`. */
  readonly module: string;
  readonly kernel: string;
  readonly apiVersion: number;
  /** The byte that is planted, and how its exit looks; `none` when only debug registers are left. */
  readonly trap: TrapKind | 'none';
  readonly facts: readonly HostFact[];
}

export interface HostProblem {
  readonly id: 'not-linux' | 'not-x86-64' | 'no-device' | 'no-permission' | 'kvm-failed';
  readonly message: string;
  readonly remedy: string;
}

/** One question that the probe asked, e.g. `singlestep-cpl0`. */
export interface HostFact {
  readonly id: string;
  readonly question: string;
  readonly answer: 'yes' | 'no' | string;
  /** What Ringside does because of it. */
  readonly consequence?: string;
}

// ---------------------------------------------------------------- processor state

export interface Msr {
  readonly index: number;
  readonly name: string;
  readonly value: Hex;
}

/** A local vector table entry, Intel SDM vol. 3A 11.5.1. */
export interface LvtEntry {
  readonly name: 'CMCI' | 'Timer' | 'Thermal' | 'PerfMon' | 'LINT0' | 'LINT1' | 'Error';
  readonly raw: number;
  readonly vector: number;
  readonly delivery: string;
  readonly masked: boolean;
  readonly pending: boolean;
}

/** A local APIC, Intel SDM vol. 3A chapter 11. Vectors are numbers 0 to 255. */
export interface LapicState {
  readonly base: Hex;
  readonly mode: 'disabled' | 'xapic' | 'x2apic';
  readonly softwareEnabled: boolean;
  readonly id: number;
  readonly version: number;
  readonly tpr: number;
  readonly ppr: number;
  readonly ldr: number;
  readonly dfr: number;
  readonly svr: number;
  readonly esr: number;
  readonly icr: Hex;
  readonly irr: readonly number[];
  readonly isr: readonly number[];
  readonly tmr: readonly number[];
  readonly lvt: readonly LvtEntry[];
  readonly timer: {
    readonly mode: 'one-shot' | 'periodic' | 'tsc-deadline';
    readonly initialCount: number;
    readonly currentCount: number;
    readonly divide: number;
    /** Nanoseconds until it fires; absent where it stands, and in mode `tsc-deadline`. */
    readonly left?: number;
  };
}

/** One I/O APIC redirection entry, 82093AA datasheet 3.2.4. */
export interface IoapicPin {
  readonly pin: number;
  readonly raw: Hex;
  readonly vector: number;
  readonly delivery: string;
  readonly destinationMode: 'physical' | 'logical';
  readonly destination: number;
  readonly trigger: 'edge' | 'level';
  readonly polarity: 'high' | 'low';
  readonly masked: boolean;
  readonly remoteIrr: boolean;
  readonly pending: boolean;
  /** The line's own level where the chip keeps it. */
  readonly asserted: boolean;
}

export interface IoapicState {
  readonly id: number;
  readonly version: number;
  /** Register that the window shows (IOREGSEL). */
  readonly select: number;
  readonly base: Hex;
  readonly pins: readonly IoapicPin[];
}

/** One 8259A, datasheet 231468. */
export interface PicState {
  readonly name: 'master' | 'slave';
  readonly irr: number;
  readonly isr: number;
  readonly imr: number;
  /** Vector of line 0 (ICW2). */
  readonly vectorBase: number;
  readonly autoEoi: boolean;
  readonly elcr: number;
  /** Line that has the highest priority now. */
  readonly highestPriority: number;
  /** A read gives the ISR (OCW3), not the IRR. */
  readonly readsIsr: boolean;
  /** Special fully nested mode (ICW4). */
  readonly fullyNested: boolean;
  readonly initialized: boolean;
}

export interface PitChannel {
  readonly channel: number;
  readonly mode: number;
  /** Reload value; 0x10000 when the guest wrote 0. */
  readonly count: number;
  readonly gate: boolean;
}

/** What is queued on its way into one vCPU (KVM_GET_VCPU_EVENTS). */
export interface PendingEvents {
  readonly exception?: { readonly vector: number; readonly errorCode?: number; readonly injected: boolean };
  readonly interrupt?: { readonly vector: number; readonly soft: boolean };
  /** True in the shadow of STI or MOV SS. */
  readonly interruptShadow: boolean;
  readonly nmi: { readonly pending: boolean; readonly injected: boolean; readonly masked: boolean };
  readonly smi: { readonly pending: boolean; readonly inSmm: boolean };
  readonly mpState: 'running' | 'uninitialized' | 'init-received' | 'halted' | 'sipi-received' | 'stopped';
}

/** One vector of a device's MSI-X table, and the message that was last sent by it. */
export interface MsixVector {
  /** The device's name. */
  readonly device: string;
  /** Its place in the table. */
  readonly index: number;
  readonly address: Hex;
  readonly data: number;
  /** By itself, or with all vectors of its function. */
  readonly masked: boolean;
  /** It is to be sent and waits for the mask to be taken away. */
  readonly pending: boolean;
  /** Messages sent so far. */
  readonly sent: number;
  /** `time` is the guest's, in microseconds; `taken`: by a local APIC, else its interrupt was lost. */
  readonly last?: { readonly time: number; readonly address: Hex; readonly data: number; readonly taken: boolean };
}

export interface InterruptState {
  readonly vcpu: number;
  readonly lapic?: LapicState;
  readonly ioapic?: IoapicState;
  readonly pic: readonly PicState[];
  readonly pit: readonly PitChannel[];
  readonly pending: PendingEvents;
  /** Of every device that has MSI-X on; absent where that is unknown. */
  readonly messages?: readonly MsixVector[];
  /** What this hypervisor does not tell, in sentences. Its fields above are then empty or zero. */
  readonly unknown?: readonly string[];
}

/** What became of an interrupt: `merged` into one that was requested already; `masked` in all controllers; `lost`, as no local APIC took it. */
export type InterruptOutcome = 'requested' | 'merged' | 'masked' | 'lost';

/** An interrupt that Ringside asked the controllers in KVM for. A line is one when it is raised. */
export interface InterruptRecord {
  /** Counts from 0 without gaps. */
  readonly sequence: number;
  /** Of the guest's clock. */
  readonly time: number;
  /** `user`: injected by hand. */
  readonly source: 'line' | 'message' | 'hypercall' | 'user';
  /** Of a line: who raised it, its number, and what the controllers made of it at that time where they did not mask it. */
  readonly device?: string;
  readonly line?: number;
  readonly ioapicEntry?: Hex;
  readonly picVector?: number;
  /** Of all others: the message. */
  readonly address?: Hex;
  readonly data?: number;
  readonly outcome: InterruptOutcome;
}

/**
 * The last interrupts that came from Ringside, and how many there were. What KVM's own PIT and local APIC timers request,
 * what vCPUs send each other, and what the I/O APIC repeats for a line that is still raised after its end of interrupt,
 * stays in the kernel: only {@link VcpuTimes.statistics} count it.
 */
export interface InterruptLog {
  /** Of the guest's clock, now. */
  readonly time: number;
  /** Oldest first. */
  readonly records: readonly InterruptRecord[];
  /** Written down since the guest began; those that `records` lacks were overwritten, or not asked for. */
  readonly total: number;
  /** Interrupts that were requested, by vector; those without any are left out. */
  readonly counts: readonly { readonly vector: number; readonly count: number }[];
}

// ---------------------------------------------------------------- page tables

/** All that one root of page tables maps; numbers count pages of 4 KiB, as in paging/scan.ts. */
export interface PackedPageScan {
  /** Five numbers a run of pages: linear page, physical page, length, flags, level of the leaf entries. */
  readonly runs: readonly number[];
  /** Two numbers a table: its physical page and the level of its entries. */
  readonly tables: readonly number[];
  /** More is mapped than was read. */
  readonly truncated: boolean;
}

// ---------------------------------------------------------------- memory map

export interface MemoryRegion {
  readonly start: Hex;
  /** First address after the region. */
  readonly end: Hex;
  /** `tables`: pages that hold page tables, which the map of a core does not have. `told`: RAM as the kernel is told of it (e820, or what its boot protocol has instead). */
  readonly kind: 'ram' | 'rom' | 'framebuffer' | 'mmio' | 'hole' | 'reserved' | 'told' | 'tables' | 'image';
  readonly name: string;
  /** Guest-virtual address of the first byte, where the kernel's file says it. */
  readonly virtual?: Hex;
  readonly detail?: string;
  /** What is drawn there: of a framebuffer, where it is known. */
  readonly screen?: Screen;
}

/** How pixels lie in a framebuffer, from its first byte on. */
export interface Screen extends Resolution {
  /** Bytes from a row to the next. */
  readonly stride: number;
  /** 32 bits, little-endian, as DRM names it. */
  readonly format: 'XRGB8888';
}

/** What a client lacks of the picture in the framebuffer. */
export interface ScreenUpdate {
  readonly screen: Screen;
  /** Names the picture that the client has when it has taken this in. */
  readonly version: number;
  /** Runs of rows, ascending. */
  readonly rows: readonly { readonly first: number; readonly count: number }[];
  /** Those rows one after the other, as they lie in the framebuffer: deflated (RFC 1950), base64; empty for none. */
  readonly data: string;
  /** There may be more to be had at once. */
  readonly more: boolean;
}

export interface PortRegion {
  readonly first: number;
  readonly last: number;
  readonly device: string;
}

export interface MemoryMap {
  readonly regions: readonly MemoryRegion[];
  readonly ports: readonly PortRegion[];
}

// ---------------------------------------------------------------- devices

/** A register, or other named state, of a device model; by the name in the device's datasheet. */
export interface DeviceRegister {
  readonly name: string;
  readonly value: Hex;
  /** The value in words. */
  readonly text?: string;
}

export interface DeviceState {
  /** As in {@link PortRegion.device}. */
  readonly device: string;
  /** None for a device that keeps no state. */
  readonly registers: readonly DeviceRegister[];
}

// ---------------------------------------------------------------- hypercalls

export interface HypercallArgument {
  readonly name: string;
  readonly value: Hex;
  /** The value in words: a sub-operation's name, a string that it points at. */
  readonly text?: string;
}

export interface HypercallRecord {
  /** Counts from 0 without gaps over the life of the machine; a gap between two records is a loss. */
  readonly sequence: number;
  readonly time: number;
  readonly vcpu: number;
  readonly cpl: number;
  /** Address of the instruction after the call. */
  readonly rip: Hex;
  /** Where a hypercall page, or a domain's stub for calls, returns to, when the call came through one. */
  readonly caller?: Hex;
  readonly abi: 'kvm' | 'xen' | 'hyperv';
  readonly number: Hex;
  /** What tells this call from others: of Hyper-V's numbers, which are whole input values, the call code; else the number. */
  readonly code: Hex;
  readonly name: string;
  readonly arguments: readonly HypercallArgument[];
  /** Absent of a call to a hypervisor in the guest that did not return, returned elsewhere, or is made again. */
  readonly result?: Hex;
  readonly resultText?: string;
  /** Microseconds; absent where the call did not return. */
  readonly duration?: number;
}

/** How a hypervisor in the guest is called. `xen-pv`: Xen, by its function `pv_hypercall(struct cpu_user_regs *)`. */
export type GuestConvention = 'xen-pv';

export interface HypercallBatch {
  readonly records: readonly HypercallRecord[];
  /** Records lost before the first of this batch, because nobody fetched them in time. */
  readonly dropped: number;
  /** Calls made so far. */
  readonly total: number;
}

// ---------------------------------------------------------------- snapshots

export interface SnapshotInfo {
  readonly name: string;
  /** Microseconds of the guest's own time. */
  readonly time: number;
  /** When it was taken, ISO 8601. */
  readonly taken: string;
  /** Bytes of RAM that it was the first to keep a copy of. */
  readonly bytes: number;
}

export interface SnapshotParams {
  /** Up to 64 letters, digits, dots, dashes and underscores. */
  readonly name: string;
}

// ---------------------------------------------------------------- exits

/** Why a vCPU left KVM_RUN for user space. `kick`: a signal, to stop it or to have it look at its orders. */
export type ExitReason =
  | 'port-in'
  | 'port-out'
  | 'mmio-read'
  | 'mmio-write'
  | 'msr-read'
  | 'msr-write'
  | 'hypercall'
  | 'halt'
  | 'debug'
  | 'shutdown'
  | 'system-event'
  | 'internal-error'
  | 'entry-failure'
  | 'kick'
  | 'other';

/** One exit. What was accessed is there for accesses alone. */
export interface ExitRecord {
  /** Counts from 0 without gaps, for each vCPU by itself. */
  readonly sequence: number;
  readonly vcpu: number;
  readonly time: number;
  /** Microseconds until the guest was entered again, or the vCPU came to rest. */
  readonly duration: number;
  readonly reason: ExitReason;
  /** RIP as KVM has it at the exit: at the instruction or after it, as this KVM does. */
  readonly rip: Hex;
  /** Port, guest-physical address or MSR. */
  readonly address?: Hex;
  /** Bytes of one access, and how many a string instruction made. */
  readonly size?: number;
  readonly count?: number;
  /** What was written, or what the guest was given; of several, the first. */
  readonly value?: Hex;
  readonly device?: string;
  /** By the name in the device's datasheet. */
  readonly register?: string;
}

export interface ExitBatch {
  readonly records: readonly ExitRecord[];
  /** What to ask from next, one number per vCPU. */
  readonly next: readonly number[];
  /** Records that were overwritten before they could be read. */
  readonly dropped: number;
  /** Exits written down so far. */
  readonly total: number;
}

/** How often one vCPU left the guest for one reason, for one port, address or MSR, or from one place. */
export interface ExitCounter {
  readonly vcpu: number;
  readonly kind: 'reason' | 'place' | 'rip';
  /** Absent for all those of `kind` together that found no room in the table. */
  readonly reason?: ExitReason;
  /** Port, guest-physical address or MSR; of kind `rip`, RIP. */
  readonly address?: Hex;
  readonly count: number;
  /** Microseconds that user space took. */
  readonly time: number;
  readonly device?: string;
  readonly register?: string;
}

/** Where a vCPU's time went, in microseconds since the machine was made. */
export interface VcpuTimes {
  readonly vcpu: number;
  /** Kernel id of its thread; 0 when it is gone. */
  readonly threadId: number;
  /** Inside KVM_RUN: in the guest, in KVM, halted, or waiting for a processor. */
  readonly inKvm: number;
  /** In user space, handling exits. */
  readonly inUser: number;
  /** It is inside KVM_RUN now. */
  readonly entered: boolean;
  /** Halted, as KVM counts it but for what is `steal`; a part of `inKvm`. */
  readonly halted: number;
  /** Its thread was ready and had no processor of the host. */
  readonly steal: number;
  /** It is halted, or waits to be started, now. */
  readonly blocking: boolean;
  /** All that KVM_GET_STATS_FD gives as one number, by KVM's names; none before Linux 5.14. */
  readonly statistics: Readonly<Record<string, number>>;
}

// ---------------------------------------------------------------- methods

export interface VcpuParams {
  readonly vcpu: number;
}

export const inspect = {
  /** What this machine is. */
  info: new RequestType0<MachineInfo, void>('machine/info'),
  state: new RequestType0<MachineState, void>('machine/state'),
  memoryMap: new RequestType0<MemoryMap, void>('machine/memoryMap'),
  /** The state of all device models, running or not. */
  devices: new RequestType0<readonly DeviceState[], void>('devices/state'),
  /** Interrupt controllers and pending events; the machine must be stopped. */
  interrupts: new RequestType<VcpuParams, InterruptState, void>('vcpu/interrupts'),
  /** The last interrupts that came from Ringside, at most `limit` (the core keeps 1,024); running or not. */
  interruptLog: new RequestType<{ readonly limit: number }, InterruptLog, void>('trace/interrupts'),
  /** Sends a stopped vCPU's local APIC an interrupt: a vector from 16 to 255, edge-triggered, or without one an NMI. */
  inject: new RequestType<VcpuParams & { readonly vector?: number }, void, void>('vcpu/inject'),
  /** The MSRs that this KVM saves, with names; the machine must be stopped. */
  msrs: new RequestType<VcpuParams, readonly Msr[], void>('vcpu/msrs'),
  writeMsr: new RequestType<VcpuParams & { readonly index: number; readonly value: Hex }, void, void>('vcpu/writeMsr'),
  /** Scans the page tables of a vCPU, or those at another CR3 in the same mode; the machine must be stopped. */
  scanPages: new RequestType<VcpuParams & { readonly cr3?: Hex }, PackedPageScan, void>('vcpu/scanPages'),
  /**
   * What the guest is to be stopped on besides breakpoints, in place of what this client asked for before; each in the form
   * of protocol/stop-on.ts. All or, with the reason, nothing; the machine must be stopped.
   */
  stopOn: new RequestType<{ readonly stops: readonly string[] }, void, void>('machine/stopOn'),
  /** Guest-physical reads and writes, running or not; a read stops short where RAM ends. */
  readPhysical: new RequestType<{ readonly address: Hex; readonly length: number }, { readonly data: string }, void>(
    'memory/readPhysical',
  ),
  writePhysical: new RequestType<{ readonly address: Hex; readonly data: string }, void, void>('memory/writePhysical'),
  /**
   * What changed of the picture in the framebuffer since the answer with the version `known` (0: all of it), running or not;
   * null where there is no framebuffer.
   */
  screen: new RequestType<{ readonly known: number }, ScreenUpdate | null, void>('memory/screen'),
  /** Snapshots of the whole machine; taken, gone back to and removed while it does not run. */
  snapshots: new RequestType0<readonly SnapshotInfo[], void>('snapshot/list'),
  takeSnapshot: new RequestType<SnapshotParams, SnapshotInfo, void>('snapshot/take'),
  restoreSnapshot: new RequestType<SnapshotParams, void, void>('snapshot/restore'),
  removeSnapshot: new RequestType<SnapshotParams, void, void>('snapshot/remove'),
  /** Writes a snapshot into a file, by its absolute path on the core's machine, and adds the one in a file. */
  saveSnapshot: new RequestType<SnapshotParams & { readonly path: string }, void, void>('snapshot/save'),
  loadSnapshot: new RequestType<{ readonly path: string }, SnapshotInfo, void>('snapshot/load'),
  /** Puts the machine before its first instruction, also after the guest has ended. It must not run. */
  restart: new RequestType0<void, void>('machine/restart'),
  /** Hypercalls with `sequence >= from`, oldest first, at most `limit` (the core caps it at 10,000). */
  hypercalls: new RequestType<{ readonly from: number; readonly limit: number }, HypercallBatch, void>(
    'trace/hypercalls',
  ),
  /**
   * Has the calls traced that are made to a hypervisor in the guest, at these guest-virtual addresses of the functions that
   * take them, for as long as this client wants it; none: no more. Running or not.
   */
  recordCalls: new RequestType<{ readonly convention: GuestConvention; readonly at: readonly Hex[] }, void, void>(
    'trace/recordCalls',
  ),
  /**
   * Has the calls traced, or no more, that the guest makes to KVM by VMCALL and VMMCALL in supervisor code, which KVM itself
   * answers, for as long as this client wants it. They are looked for now, so that the guest must stand still; asked again, anew.
   * Gives how many such instructions were found: none of a guest that does not find KVM.
   */
  recordInstructions: new RequestType<{ readonly on: boolean }, { readonly found: number }, void>(
    'trace/recordInstructions',
  ),
  /** Has exits written down for as long as this client wants it, and says from which on; they are counted always. */
  traceExits: new RequestType<{ readonly on: boolean }, { readonly from: readonly number[] }, void>('trace/traceExits'),
  /** Traced exits from `from` (one number per vCPU) on, oldest first, at most `limit` (the core caps it at 10,000). */
  exits: new RequestType<{ readonly from: readonly number[]; readonly limit: number }, ExitBatch, void>('trace/exits'),
  exitCounters: new RequestType0<readonly ExitCounter[], void>('trace/exitCounters'),
  vcpuTimes: new RequestType0<readonly VcpuTimes[], void>('trace/vcpuTimes'),
  /** Everything that the guest has printed on COM1, up to the last 1 MiB. */
  consoleHistory: new RequestType0<{ readonly data: string }, void>('console/history'),
  /** What the guest has sent on one of COM1 to COM4 (`port` 1 to 4): the last 1 MiB of COM1, 64 KiB of the others. */
  serialHistory: new RequestType<{ readonly port: number }, { readonly data: string }, void>('console/serialHistory'),
  /** Bytes for the receiver of one of COM1 to COM4. */
  serialInput: new RequestType<{ readonly port: number; readonly data: string }, void, void>('console/serialInput'),
  /** Bytes typed by the user: for COM1, and for the keyboard while nobody listens on COM1. */
  consoleInput: new RequestType<{ readonly data: string }, void, void>('console/input'),
  /** Ends the guest and, when the reply is out, the core. */
  quit: new RequestType0<void, void>('machine/quit'),

  onState: new NotificationType<MachineState>('machine/onState'),
  onConsole: new NotificationType<{ readonly data: string }>('console/onOutput'),
} as const;
