/**
 * Custom DAP requests and events between the adapter and the extension: types only. Every name has one entry in
 * {@link RingsideRequests} or {@link RingsideEvents}; a new one does not compile until both ends know it.
 */
import type { MessageRoute } from '../../hypervisor-core/interrupts/message.ts';
import type { Hex } from '../../hypervisor-core/protocol/hex.ts';

export type { MessageRoute } from '../../hypervisor-core/interrupts/message.ts';
export type { Hex };

import type {
  ExitBatch,
  ExitCounter,
  HypercallBatch,
  InterruptLog,
  InterruptRecord,
  InterruptState,
  MachineInfo,
  MemoryRegion,
  MsixVector,
  Personality,
  PortRegion,
  ScreenUpdate,
} from '../../hypervisor-core/protocol/inspect.ts';

export type {
  ExitReason,
  ExitRecord,
  HostReport,
  HypercallBatch,
  HypercallRecord,
  InterruptState,
  IoapicState,
  LapicState,
  MachineInfo,
  Personality,
  PicState,
  Screen,
  ScreenUpdate,
} from '../../hypervisor-core/protocol/inspect.ts';

// ---------------------------------------------------------------- launch.json

export interface LaunchAttributes {
  /**
   * Path of the kernel: ELF, multiboot, Linux bzImage or vmlinux, PVH, boot sector, or a flat binary when `boot` says so. With
   * `firmware`, what is on the disk, for its symbols; it may be left out then.
   */
  program?: string;
  /** Image of firmware, such as SeaBIOS, which the machine starts with and which boots `disk`. */
  firmware?: string;
  /** Our own core on KVM, an installed QEMU without KVM, or what there is. Default `auto`. */
  backend?: 'auto' | 'kvm' | 'qemu';
  /** `"256M"`, `"1G"` or a number of bytes. Default `"256M"`. */
  memory?: string | number;
  /** Default 1. */
  cpus?: number;
  /** Kernel command line. */
  args?: string | string[];
  /** A path; or `busybox`, for a root that is made of the host's busybox. */
  initrd?: string;
  /** More modules of a multiboot or PVH kernel: each a file and, after a space, what the kernel is told about it. */
  modules?: string[];
  /** How to boot: `auto` by content, a protocol's name, or a flat binary's with its address, `flat32@0x100000`. Default `auto`. */
  boot?: string;
  /** Raw disk image. What the guest writes is forgotten at its end, unless `persist` is true. */
  disk?: string;
  persist?: boolean;
  stopOnEntry?: boolean;
  /** ELF with the symbols, when `program` has none. */
  symbols?: string;
  /** ELF files of what the guest has in memory besides, at the addresses that they say. */
  moreSymbols?: string[];
  /** Path prefixes as recorded by the compiler, and where they are now. */
  sourceMap?: Record<string, string>;
  /** Folders to find sources in by the last components of their recorded paths; VS Code gives the workspace's. */
  sourceFolders?: string[];
  /** Where else a gdb may connect: `unix:PATH` or `tcp:PORT`. */
  gdb?: string;
  personality?: Personality | 'auto';
  /** Pixels of a linear framebuffer, `"1024x768"`, 32 bits each; there is none when it is left out. */
  framebuffer?: string;
  /** Processor features, named as in Linux's /proc/cpuinfo, that the guest shall not see, or see against the host's rules. */
  cpu?: { hide?: string[]; expose?: string[] };
  /** Where the guest's serial port is shown. Default `integratedTerminal`. */
  console?: 'integratedTerminal' | 'internalConsole';
}

/** Of `"request": "attach"`: a guest that runs already. */
export interface AttachAttributes {
  /** Where its GDB stub listens: `HOST:PORT` or `unix:PATH`. */
  target: string;
  /** QEMU's machine protocol, for the views. */
  qmp?: string;
  /** The inspect socket of a core of ours, for the views. */
  inspect?: string;
  /** The kernel that runs there, for its symbols. */
  program?: string;
  symbols?: string;
  moreSymbols?: string[];
  sourceMap?: Record<string, string>;
  sourceFolders?: string[];
  /** Leave the guest stopped, as attaching stops it. */
  stopOnEntry?: boolean;
}

// ---------------------------------------------------------------- state at a stop

export type StatePart =
  | 'registers'
  | 'pageTables'
  | 'addressSpace'
  | 'interrupts'
  | 'hypercalls'
  | 'memoryMap'
  | 'exits'
  | 'vcpus'
  | 'tasks';

export interface RegisterField {
  /** Name in the manual: `IF`, `WP`, `LME`. */
  readonly name: string;
  readonly description: string;
  /** Bits, high and low, both inclusive. */
  readonly high: number;
  readonly low: number;
  readonly value: number;
  /** What a value of several bits stands for. */
  readonly text?: string;
}

export interface RegisterValue {
  readonly name: string;
  readonly bits: number;
  readonly value: Hex;
  readonly fields?: readonly RegisterField[];
  /** `symbol+0x10` when the value points into the image. */
  readonly symbol?: string;
  readonly writable: boolean;
}

export interface RegisterGroup {
  readonly name: string;
  readonly registers: readonly RegisterValue[];
  /** Names of registers whose values this frame's callees have not kept. */
  readonly lost?: readonly string[];
}

export type PagingMode = 'none' | '32-bit' | 'pae' | '4-level' | '5-level';

/** One present entry of a paging structure, or a run of alike absent ones. */
export interface PageTableEntry {
  readonly index: number;
  readonly level: number;
  /** `PML4E`, `PDPTE`, `PDE`, `PTE`. */
  readonly name: string;
  readonly raw: Hex;
  /** First guest-virtual address it maps, and the bytes it covers. */
  readonly address: Hex;
  readonly size: Hex;
  /** Guest-physical address of the page or the next table. */
  readonly target: Hex;
  readonly leaf: boolean;
  /** `P`, `W`, `U`, `PWT`, `PCD`, `A`, `D`, `PS`, `G`, `NX`. */
  readonly flags: readonly string[];
  readonly symbol?: string;
}

export interface PageTableRoot {
  readonly mode: PagingMode;
  readonly cr3: Hex;
  /** CR3 of the kernel's tables, where those in use are for user code, which next to nothing of the kernel is in. */
  readonly kernelCr3?: Hex;
  readonly levels: number;
  readonly entries: readonly PageTableEntry[];
}

export interface WalkStep {
  readonly entry: PageTableEntry;
  /** Guest-physical address the entry was read from. */
  readonly at: Hex;
}

/** One kind of access to a mapped page, such as `user write`, and the rule by which it faults, if it does. */
export interface WalkAccess {
  readonly access: string;
  readonly fault?: string;
}

export interface Walk {
  readonly address: Hex;
  readonly mode: PagingMode;
  readonly steps: readonly WalkStep[];
  readonly result:
    | {
        readonly kind: 'mapped';
        readonly physical: Hex;
        readonly size: Hex;
        readonly flags: readonly string[];
        readonly accesses: readonly WalkAccess[];
      }
    | { readonly kind: 'fault'; readonly reason: string };
}

/** Which page tables are looked at, and what they are compared with. */
export interface PagesChoice {
  /** Another root than the vCPU's own, read in the vCPU's mode. */
  readonly cr3?: Hex;
  /** A scan of {@link AddressSpacePart.earlier}; the last one of the same root when absent. */
  readonly since?: number;
}

/** Neighbouring addresses with the same rights, memory type and page size. */
export interface AddressRange {
  readonly start: Hex;
  readonly size: Hex;
  /** `P`, `W`, `U`, `PWT`, `PCD`, `PAT`, `G`, `NX`; `RSVD` where reserved bits make every access fault. */
  readonly flags: readonly string[];
  readonly pageSize: Hex;
  /** Where the range lies, when in one piece. */
  readonly physical?: Hex;
  /** Bytes in pages that were accessed, and that were written. */
  readonly accessed: Hex;
  readonly dirty: Hex;
  /** Sections of the image in it, or what a kernel keeps there. */
  readonly region?: string;
}

export type AddressChangeKind = 'mapped' | 'unmapped' | 'moved' | 'rights' | 'page size' | 'used';

/** What became of neighbouring pages. `used`: they were accessed or written, and nothing else. */
export interface AddressChange {
  readonly kind: AddressChangeKind;
  readonly start: Hex;
  readonly size: Hex;
  readonly before?: { readonly physical: Hex; readonly flags: readonly string[] };
  readonly after?: { readonly physical: Hex; readonly flags: readonly string[] };
  readonly region?: string;
}

/** Pages accessed and written, by equal parts of the address space; parts where nothing is mapped are left out. */
export interface AddressHeat {
  readonly cellSize: Hex;
  /** Bytes of each cell that are mapped, in accessed pages, in written pages. */
  readonly cells: readonly {
    readonly start: Hex;
    readonly mapped: Hex;
    readonly accessed: Hex;
    readonly dirty: Hex;
  }[];
}

/** A scan that was made before and that another can be compared with. */
export interface EarlierScan {
  readonly scan: number;
  /** Where the guest stood. */
  readonly title: string;
}

/** All that the tables below one root map. */
export interface AddressSpacePart {
  readonly mode: PagingMode;
  readonly cr3: Hex;
  /** False when the root is another than the vCPU's. */
  readonly current: boolean;
  readonly scan: number;
  readonly ranges: readonly AddressRange[];
  readonly heat: AddressHeat;
  /** Pages that hold tables. */
  readonly tables: number;
  /** More is mapped than is told here. */
  readonly truncated: boolean;
  readonly earlier: readonly EarlierScan[];
  readonly diff?: { readonly since: number; readonly changes: readonly AddressChange[]; readonly truncated: boolean };
}

/** A guest-virtual address of a guest-physical one. */
export interface AddressMapping {
  readonly address: Hex;
  readonly flags: readonly string[];
  readonly pageSize: Hex;
  readonly region?: string;
}

export interface IdtEntry {
  readonly vector: number;
  readonly name: string;
  readonly present: boolean;
  readonly handler: Hex;
  readonly selector: number;
  readonly type: string;
  readonly dpl: number;
  readonly ist: number;
  readonly symbol?: string;
}

/** One condition between the source of an interrupt and the vCPU; the one that holds it is the last. */
export interface DeliveryLink {
  readonly name: string;
  readonly holds: boolean;
  readonly text: string;
}

/** An interrupt that is requested, and how far it comes. */
export interface WaitingInterrupt {
  /** `local APIC`, `I/O APIC pin 4`, `virtio-blk MSI-X 0`, `PIC master IR0`, `NMI`. */
  readonly source: string;
  readonly vector?: number;
  readonly links: readonly DeliveryLink[];
}

/** A vector of a device's MSI-X table with its message decoded, and the last one sent where that was another. */
export interface DeviceMessage extends MsixVector {
  readonly route: MessageRoute;
  readonly lastRoute?: MessageRoute;
}

/** An interrupt of the log with its way decoded. */
export interface LoggedInterrupt
  extends Pick<InterruptRecord, 'sequence' | 'time' | 'source' | 'line' | 'picVector' | 'outcome'> {
  /** Who raised the line or sent the message: `COM1`, `virtio-blk MSI-X 0`. */
  readonly device?: string;
  /** By the I/O APIC or as a message. */
  readonly route?: MessageRoute;
  /** Those that the route means, by the state of their local APICs now. */
  readonly vcpus: readonly number[];
}

export interface InterruptLogPart extends Omit<InterruptLog, 'records'> {
  readonly records: readonly LoggedInterrupt[];
  /** What KVM counts as injected into each vCPU, whoever sent it; none where it does not count. */
  readonly injections: readonly { readonly vcpu: number; readonly interrupts: number; readonly nmis: number }[];
}

export interface InterruptsPart extends InterruptState {
  /** Absent where nobody tells. */
  readonly log?: InterruptLogPart;
  readonly messages?: readonly DeviceMessage[];
  readonly idt: readonly IdtEntry[];
  readonly waiting: readonly WaitingInterrupt[];
  /** The guest is a Linux with known symbols: it can be asked for its own interrupts and timers. */
  readonly linux?: boolean;
  /** The guest is a Xen with known symbols: it can be asked for what its first domain has of interrupts. */
  readonly xen?: boolean;
}

export interface MemoryMapPart {
  readonly regions: readonly MemoryRegion[];
  readonly ports: readonly PortRegion[];
  /** Pages that hold the page tables of the vCPU's CR3, in runs. */
  readonly pageTables: readonly MemoryRegion[];
}

export interface HypercallsPart extends HypercallBatch {
  /** `symbol+offset` by the caller's (or else the call's) address. */
  readonly symbols: Readonly<Record<Hex, string>>;
}

/** Exits of one kind, of all vCPUs together: for one reason, to one port, address or MSR, or from one place in the code. */
export interface ExitCount extends Omit<ExitCounter, 'vcpu'> {
  /** `symbol+offset`, of kind `rip`. */
  readonly symbol?: string;
}

export interface ExitsPart {
  readonly counts: readonly ExitCount[];
  /** Microseconds that all vCPUs together have run, exits included. */
  readonly ran: number;
  readonly vcpus: number;
}

export interface ExitTracePart extends ExitBatch {
  /** `symbol+offset` by RIP. */
  readonly symbols: Readonly<Record<Hex, string>>;
}

/** What a vCPU does now. `stopped`: with the whole guest, by the debugger. */
export type VcpuActivity =
  | 'in the guest'
  | 'in user space'
  | 'halted'
  | 'waiting for INIT'
  | 'waiting for SIPI'
  | 'stopped';

/** Where a vCPU's time went, microseconds since the machine was made. */
export interface VcpuClock {
  /** In the guest or in KVM, ready to run. */
  readonly guest: number;
  /** In user space, for its exits. */
  readonly host: number;
  readonly halted: number;
  /** It was ready, and the host had no processor for it. */
  readonly steal: number;
}

export interface VcpuState {
  /** As DAP has it: 1 is vCPU 0. */
  readonly thread: number;
  readonly activity: VcpuActivity;
  /** Of our own core alone. */
  readonly clock?: VcpuClock;
  /** Exits to user space. */
  readonly exits?: number;
  /** Kernel id of its thread on the host. */
  readonly hostThread?: number;
  /** Where it stands; absent while it runs. */
  readonly rip?: Hex;
  readonly symbol?: string;
  /** Name and number of the task that it runs, of a Linux guest that stands. */
  readonly task?: string;
  /** What KVM counts of it, by KVM's names. */
  readonly statistics?: Readonly<Record<string, number>>;
}

export interface VcpusPart {
  readonly vcpus: readonly VcpuState[];
}

/** One task of a Linux guest. */
export interface LinuxTask {
  /** Of its `task_struct`. */
  readonly address: Hex;
  readonly pid: number;
  /** The process that it is a thread of. */
  readonly tgid: number;
  readonly parent: number;
  readonly comm: string;
  /** The letter that `ps` shows. */
  readonly state: string;
  readonly cpu: number;
  readonly flags: number;
  /** Lowest address of its kernel stack. */
  readonly stack: Hex;
  /** The vCPU that runs it now. */
  readonly threadId?: number;
}

export interface TasksPart {
  readonly tasks: readonly LinuxTask[];
  /** Why there may be more than were read. */
  readonly problem?: string;
}

/** An interrupt as Linux numbers it. */
export interface LinuxIrq {
  readonly number: number;
  /** On its chip. */
  readonly hardware: number;
  /** Empty where it has none. */
  readonly chip: string;
  /** `edge`, `fasteoi`; empty where it has no name. */
  readonly flow: string;
  /** How often each CPU got it. */
  readonly counts: readonly number[];
  readonly actions: readonly { readonly name: string; readonly handler: Hex; readonly symbol: string }[];
}

/** A timer that waits. */
export interface LinuxTimer {
  readonly cpu: number;
  /** Of its structure. */
  readonly address: Hex;
  readonly function: Hex;
  readonly symbol: string;
  /** Decimal: nanoseconds of `clock`, or jiffies. */
  readonly expires: string;
  /** `monotonic`, `realtime`, `boottime` or `tai`, of a high resolution timer; `jiffies`. */
  readonly clock: string;
}

/** A handler that a paravirtual domain has given Xen, in place of an entry of an IDT. */
export interface XenTrap {
  readonly vector: number;
  readonly name: string;
  readonly handler: Hex;
  readonly symbol?: string;
  readonly selector: number;
  readonly dpl: number;
  /** It is entered with events masked. */
  readonly masksEvents: boolean;
}

/** An event channel in use, by which Xen interrupts a domain. */
export interface XenEventChannel {
  readonly port: number;
  readonly state: 'reserved' | 'unbound' | 'interdomain' | 'pirq' | 'virq' | 'ipi';
  /** Of a pirq or virq its number, of an interdomain channel the other's port, of an unbound one the domain that may bind it. */
  readonly detail?: number;
  readonly pending: boolean;
  readonly masked: boolean;
}

/** What takes the place of interrupt controllers for a domain of a Xen in the guest. */
export interface XenDomain {
  readonly id: number;
  readonly vcpus: readonly {
    readonly id: number;
    /** Of Xen's processors, the one that it runs on, or ran on last. */
    readonly processor: number;
    /** An event is there to be told of; it is not to be told of any now. */
    readonly pending: boolean;
    readonly masked: boolean;
    /** None of a vCPU that has given none yet. */
    readonly traps: readonly XenTrap[];
  }[];
  /** How events come. */
  readonly abi: '2-level' | 'FIFO';
  readonly channels: readonly XenEventChannel[];
  /** Why there may be more channels. */
  readonly problem?: string;
}

/** A function on the call stack of a task. */
export interface TaskFrame {
  readonly address: Hex;
  /** `function`, or `symbol+0x10`. */
  readonly name: string;
  readonly file?: string;
  readonly line?: number;
}

/** A part is absent when it was not asked for; `{ error }` says why it cannot be had from this target. */
export interface MachineSnapshot {
  readonly threadId: number;
  readonly registers?: readonly RegisterGroup[] | PartError;
  readonly pageTables?: PageTableRoot | PartError;
  readonly addressSpace?: AddressSpacePart | PartError;
  readonly interrupts?: InterruptsPart | PartError;
  readonly hypercalls?: HypercallsPart | PartError;
  readonly memoryMap?: MemoryMapPart | PartError;
  readonly exits?: ExitsPart | PartError;
  readonly vcpus?: VcpusPart | PartError;
  readonly tasks?: TasksPart | PartError;
}

export interface PartError {
  readonly error: string;
}

/** Variables in scope in a frame, and the first lines, from 1, on which they and their function are there. */
export interface InlineScope {
  readonly line: number;
  readonly variables: readonly { readonly name: string; readonly line: number }[];
}

// ---------------------------------------------------------------- requests and events

export interface RingsideRequests {
  /**
   * Has these parts told with each stop from now on, as {@link RingsideEvents} `ringside/part`, in place of those asked for
   * before: the parts that visible views need. They come without a question, for which a busy window has to be passed twice.
   */
  'ringside/follow': { arguments: { parts: readonly StatePart[]; pages?: PagesChoice }; body: Record<string, never> };
  /** Parts at the present stop: for views that have just come into sight, of another vCPU, or of another frame. */
  'ringside/snapshot': {
    /** `frameId`: whose registers; the innermost frame's of the vCPU when absent. */
    arguments: { threadId: number; parts: readonly StatePart[]; pages?: PagesChoice; frameId?: number };
    body: MachineSnapshot;
  };
  'ringside/setRegister': { arguments: { threadId: number; name: string; value: string }; body: { value: Hex } };
  /** Entries of the table that the entry at `path` (indices from the root) points to. */
  'ringside/pageTable': {
    arguments: { threadId: number; path: readonly number[]; cr3?: Hex };
    body: { entries: readonly PageTableEntry[] };
  };
  /** `address` is a C expression. */
  'ringside/walk': { arguments: { threadId: number; address: string; cr3?: Hex }; body: Walk };
  /** All guest-virtual addresses of a guest-physical one, which is a C expression. */
  'ringside/mappings': {
    arguments: { threadId: number; physical: string; cr3?: Hex };
    body: { physical: Hex; mappings: readonly AddressMapping[]; truncated: boolean };
  };
  /** Calls with `sequence >= from`, oldest first, running or not. */
  'ringside/hypercalls': { arguments: { from: number; limit: number }; body: HypercallsPart };
  /**
   * Has calls to a hypervisor in the guest traced like others, or no more, where its symbols say that there is one. Running or
   * not; `on` tells whether there are such calls to trace.
   */
  'ringside/recordCalls': { arguments: { on: boolean }; body: { on: boolean } };
  /** What values can be shown of beside the source of a frame. */
  'ringside/inlineScope': { arguments: { frameId: number }; body: InlineScope };
  /** Exits as they are counted, running or not. */
  'ringside/exits': { arguments: Record<string, never>; body: ExitsPart };
  /** Has exits written down, from `from` on, or no more. */
  'ringside/traceExits': { arguments: { on: boolean }; body: { from: readonly number[] } };
  /** Exits that were written down from `from` (one number for each vCPU, or none) on, oldest first, running or not. */
  'ringside/exitTrace': { arguments: { from: readonly number[]; limit: number }; body: ExitTracePart };
  /** What changed of the picture in the framebuffer since the answer with the version `known` (0: all of it), running or not. */
  'ringside/screen': { arguments: { known: number }; body: ScreenUpdate };
  /** What vCPUs do, running or not. */
  'ringside/vcpus': { arguments: Record<string, never>; body: VcpusPart };
  /** Lets one vCPU go, all others staying where they are; a step is of one instruction. */
  'ringside/runAlone': { arguments: { threadId: number; how: 'continue' | 'step' }; body: Record<string, never> };
  /** What the guest stops on besides breakpoints, in place of what was asked for before; as `monitor stop-on` takes it. */
  'ringside/stopOn': { arguments: { stops: readonly string[] }; body: Record<string, never> };
  /** Sends the vCPU an interrupt of a vector from 16 to 255, or without one an NMI. */
  'ringside/inject': { arguments: { threadId: number; vector?: number }; body: Record<string, never> };
  /** The kernel's log as dmesg prints it. */
  'ringside/kernelLog': { arguments: Record<string, never>; body: { text: string; problem?: string } };
  /** The call stack of a task, running or not, by the address of its `task_struct`; innermost frame first. */
  'ringside/taskStack': { arguments: { address: Hex }; body: { frames: readonly TaskFrame[] } };
  /** Of a Linux guest, as in its /proc/interrupts; `problem`: why there may be more. */
  'ringside/linuxIrqs': { arguments: Record<string, never>; body: { irqs: readonly LinuxIrq[]; problem?: string } };
  /** Of a Linux guest, of all CPUs. */
  'ringside/linuxTimers': {
    arguments: Record<string, never>;
    body: { timers: readonly LinuxTimer[]; problem?: string };
  };
  /** Of a Xen in the guest, its first domain. */
  'ringside/xenDomain': { arguments: Record<string, never>; body: XenDomain };
  /** What a Linux guest has at an address, the value of a C expression: lines, the most particular first. */
  'ringside/whatIs': {
    arguments: { threadId: number; address: string };
    body: { address: Hex; lines: readonly string[] };
  };
  /** Writes the stopped guest to a file of this machine, as an ELF core that drgn and crash open. Size in bytes. */
  'ringside/writeVmcore': { arguments: { path: string }; body: { size: number } };
  /** Bytes for the guest's serial port, base64. */
  'ringside/consoleInput': { arguments: { data: string }; body: Record<string, never> };
}

export interface RingsideEvents {
  /** The guest is about to run its first instruction, or stands at it. */
  'ringside/started': { info: MachineInfo };
  /** After `stopped`, each part that is followed, as soon as it is made: of the vCPU that stopped, and its innermost frame. */
  'ringside/part': MachineSnapshot;
  /** Guest serial output, base64. */
  'ringside/console': { data: string };
  /** Sent before `terminated`, and when the client ends the guest: the last that is known of the machine. */
  'ringside/ended': { message: string; exitStatus: number; last: MachineSnapshot };
}

export type RingsideRequestName = keyof RingsideRequests;
export type RingsideEventName = keyof RingsideEvents;
