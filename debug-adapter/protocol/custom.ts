/**
 * Custom DAP requests and events between the adapter and the extension: types only. Every name has one entry in
 * {@link RingsideRequests} or {@link RingsideEvents}; a new one does not compile until both ends know it.
 */
import type { Hex } from '../../hypervisor-core/protocol/hex.ts';

export type { Hex };

import type {
  HypercallBatch,
  InterruptState,
  MachineInfo,
  MemoryRegion,
  Personality,
  PortRegion,
} from '../../hypervisor-core/protocol/inspect.ts';

export type {
  HostReport,
  HypercallBatch,
  HypercallRecord,
  InterruptState,
  IoapicState,
  LapicState,
  PicState,
} from '../../hypervisor-core/protocol/inspect.ts';

// ---------------------------------------------------------------- launch.json

export interface LaunchAttributes {
  /** Path of the kernel: ELF, multiboot, Linux bzImage or vmlinux, PVH, boot sector, or a flat binary when `boot` says so. */
  program: string;
  /** `"256M"`, `"1G"` or a number of bytes. Default `"256M"`. */
  memory?: string | number;
  /** Default 1. */
  cpus?: number;
  /** Kernel command line. */
  args?: string | string[];
  initrd?: string;
  /** How to boot: `auto` by content, a protocol's name, or a flat binary's with its address, `flat32@0x100000`. Default `auto`. */
  boot?: string;
  stopOnEntry?: boolean;
  /** ELF with the symbols, when `program` has none. */
  symbols?: string;
  /** Path prefixes as recorded by the compiler, and where they are now. */
  sourceMap?: Record<string, string>;
  /** Where else a gdb may connect: `unix:PATH` or `tcp:PORT`. */
  gdb?: string;
  personality?: Personality | 'auto';
  /** Where the guest's serial port is shown. Default `integratedTerminal`. */
  console?: 'integratedTerminal' | 'internalConsole';
}

// ---------------------------------------------------------------- state at a stop

export type StatePart = 'registers' | 'pageTables' | 'interrupts' | 'hypercalls' | 'memoryMap';

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
  readonly levels: number;
  readonly entries: readonly PageTableEntry[];
}

export interface WalkStep {
  readonly entry: PageTableEntry;
  /** Guest-physical address the entry was read from. */
  readonly at: Hex;
}

export interface Walk {
  readonly address: Hex;
  readonly mode: PagingMode;
  readonly steps: readonly WalkStep[];
  readonly result:
    | { readonly kind: 'mapped'; readonly physical: Hex; readonly size: Hex; readonly flags: readonly string[] }
    | { readonly kind: 'fault'; readonly reason: string };
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

export interface InterruptsPart extends InterruptState {
  readonly idt: readonly IdtEntry[];
}

export interface MemoryMapPart {
  readonly regions: readonly MemoryRegion[];
  readonly ports: readonly PortRegion[];
}

export interface HypercallsPart extends HypercallBatch {
  /** `symbol+offset` by the caller's (or else the call's) address. */
  readonly symbols: Readonly<Record<Hex, string>>;
}

/** A part is absent when it was not asked for; `{ error }` says why it cannot be had from this target. */
export interface MachineSnapshot {
  readonly threadId: number;
  readonly registers?: readonly RegisterGroup[] | PartError;
  readonly pageTables?: PageTableRoot | PartError;
  readonly interrupts?: InterruptsPart | PartError;
  readonly hypercalls?: HypercallsPart | PartError;
  readonly memoryMap?: MemoryMapPart | PartError;
}

export interface PartError {
  readonly error: string;
}

// ---------------------------------------------------------------- requests and events

export interface RingsideRequests {
  /** One request per stop: the parts that visible views need. */
  'ringside/snapshot': { arguments: { threadId: number; parts: readonly StatePart[] }; body: MachineSnapshot };
  'ringside/setRegister': { arguments: { threadId: number; name: string; value: string }; body: { value: Hex } };
  /** Entries of the table that the entry at `path` (indices from the root) points to. */
  'ringside/pageTable': {
    arguments: { threadId: number; path: readonly number[] };
    body: { entries: readonly PageTableEntry[] };
  };
  /** `address` is a C expression. */
  'ringside/walk': { arguments: { threadId: number; address: string }; body: Walk };
  /** Calls with `sequence >= from`, oldest first, running or not. */
  'ringside/hypercalls': { arguments: { from: number; limit: number }; body: HypercallsPart };
  /** Bytes for the guest's serial port, base64. */
  'ringside/consoleInput': { arguments: { data: string }; body: Record<string, never> };
}

export interface RingsideEvents {
  /** The guest is about to run its first instruction, or stands at it. */
  'ringside/started': { info: MachineInfo };
  /** Guest serial output, base64. */
  'ringside/console': { data: string };
  /** Sent before `terminated`, and when the client ends the guest: the last that is known of the machine. */
  'ringside/ended': { message: string; exitStatus: number; last: MachineSnapshot };
}

export type RingsideRequestName = keyof RingsideRequests;
export type RingsideEventName = keyof RingsideEvents;
