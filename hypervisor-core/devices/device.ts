/**
 * How a device model meets the machine. A port access is handled on the vCPU worker that made it, so a model keeps all
 * its state in shared memory: every worker, and the main thread, attaches its own handler to the same bytes. The bus
 * holds one lock around each call, so a model needs no atomics of its own.
 */
import type { DeviceRegister, GuestEnd, MsixVector } from '../protocol/inspect.ts';

/** Guest-physical memory by direct access (DMA); both are short where RAM ends. */
export interface GuestMemory {
  read(gpa: number, length: number): Uint8Array;
  /** Gives the number of bytes written. */
  write(gpa: number, data: Uint8Array): number;
}

/** An access by the guest to memory that is no RAM: 1 to 8 bytes, to be read from or filled. */
export interface MemoryAccess {
  readonly gpa: number;
  readonly data: Uint8Array;
  readonly write: boolean;
}

export interface DeviceHost {
  readonly memory: GuestMemory;
  /**
   * Sends a message-signalled interrupt: `data` written to `address`, in the local APICs' window. False when no local APIC
   * takes it, and it is lost.
   */
  signalMsi(address: bigint, data: number): boolean;
  /** Has the main thread look soon at what this device has to do there. */
  wake(): void;
  /** Drives interrupt line `line` of the in-kernel chips (KVM_IRQ_LINE); cheap when the level does not change. */
  setIrq(line: number, level: boolean): void;
  /** One byte that the guest sent out on the console of this device. */
  transmit(byte: number): void;
  /** Microseconds since the machine was made, standing still while the guest is paused. */
  now(): number;
  /** Microseconds since the machine was made, also those in which the guest is paused: as the TSC counts on, and timers in KVM. */
  elapsed(): number;
  /** Ends the guest once the current exit is handled. */
  end(end: GuestEnd): void;
}

export interface PortHandler {
  /** Little-endian value of `size` (1, 2 or 4) bytes. Unknown registers read as all ones, as on a real bus. */
  in(port: number, size: number): number;
  out(port: number, size: number, value: number): void;
  /** For a device with registers in memory; false when the access is not to them. */
  memory?(access: MemoryAccess): boolean;
}

export interface DeviceModel<Handler extends PortHandler = PortHandler> {
  readonly name: string;
  readonly ports: readonly { readonly first: number; readonly last: number }[];
  /** What the datasheet calls the register at one of its ports, which may differ for reads and writes. */
  register?(port: number, write: boolean): string | undefined;
  /** Which console {@link DeviceHost.transmit} goes to, from 0; the first when absent. */
  readonly console?: number;
  /** Bytes of shared state; zeroed at power-on, before {@link DeviceModel.reset}. */
  readonly stateBytes: number;
  /** Puts power-on values into the state; called once per machine. */
  reset(state: DataView): void;
  attach(state: DataView, host: DeviceHost): Handler;
  /** The state for the views, without changing it. To be called under the bus lock. */
  describe(state: DataView): readonly DeviceRegister[];
  /** The MSI-X tables of its functions, in the same way. */
  messages?(state: DataView): readonly MsixVector[];
}
