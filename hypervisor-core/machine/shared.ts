/**
 * The memory that the main thread and all vCPU workers share: run pages, mailboxes, device state, console,
 * breakpoints' variables. One layout, computed alike on both sides.
 */
import { RUN_PAGE_STRIDE } from '../kvm/run-page.ts';
import type { Personality } from '../protocol/inspect.ts';
import { MAILBOX_BYTES } from './mailbox.ts';
import type { DebugStrategy } from './strategy.ts';

/** Everything that a worker is told when it starts. */
export interface WorkerSetup {
  readonly index: number;
  readonly vcpuFd: number;
  readonly vmFd: number;
  readonly ramFd: number;
  readonly ramSize: number;
  /** Bytes of the firmware's ROM below 4 GiB; 0 when there is none. */
  readonly romSize: number;
  /** Bytes of the framebuffer; 0 when there is none. */
  readonly framebufferSize: number;
  /** Which pages of RAM this process has written: a PageSet. */
  readonly ramWritten: SharedArrayBuffer;
  /** Number of vCPUs. */
  readonly cpus: number;
  readonly runBytes: number;
  /** Shared WebAssembly memory: one run page per vCPU. */
  readonly runPages: SharedArrayBuffer;
  /** One mailbox per vCPU. */
  readonly mailboxes: SharedArrayBuffer;
  readonly rendezvous: SharedArrayBuffer;
  /** Variables of breakpoints' expressions. */
  readonly variables: SharedArrayBuffer;
  readonly devices: SharedArrayBuffer;
  readonly hypercalls: SharedArrayBuffer;
  /** Counters and trace of the exits of each vCPU. */
  readonly exits: SharedArrayBuffer;
  readonly personality: Personality;
  /** Whether the guest has BIOS services. */
  readonly bios: boolean;
  readonly strategy: DebugStrategy;
  /** Sectors of the disk; undefined when there is none. */
  readonly diskSectors: number | undefined;
}

export const runPageOffset = (index: number): number => index * RUN_PAGE_STRIDE;
export const mailboxOffset = (index: number): number => index * MAILBOX_BYTES;
