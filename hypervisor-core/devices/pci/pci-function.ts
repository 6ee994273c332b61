/** The configuration space of one PCI function (PCI Local Bus 3.0, chapter 6): what it reads at reset, what is writable. */
import type { DeviceRegister, MsixVector } from '../../protocol/inspect.ts';
import type { DeviceHost } from '../device.ts';

const CONFIGURATION_BYTES = 256;
const BARS = 0x10;
const COMMAND = 0x04;
const STATUS = 0x06;
const SUBSYSTEM_VENDOR = 0x2c;
const SUBSYSTEM_ID = 0x2e;
const CAPABILITIES = 0x34;
const FIRST_CAPABILITY = 0x40;
const INTERRUPT_LINE = 0x3c;
const INTERRUPT_PIN = 0x3d;

/** Bits of the command register that software may set: I/O, memory, bus master, interrupt disable. */
const COMMAND_BITS = 0x0407;
const COMMAND_MEMORY = 1 << 1;
const COMMAND_INTERRUPT_DISABLE = 1 << 10;
const STATUS_CAPABILITIES = 1 << 4;

/** Registers in memory that a function decodes at one of its BARs; accesses are of 1, 2 or 4 bytes. */
export interface PciRegisters {
  readonly bar: number;
  /** A power of two from 16. */
  readonly size: number;
  readonly stateBytes: number;
  reset(state: DataView): void;
  /** `space` is the function's configuration space. */
  attach(state: DataView, host: DeviceHost, space: DataView): PciRegisterHandler;
  describe(state: DataView, space: DataView): readonly DeviceRegister[];
  /** Its MSI-X table, without the function's name. */
  messages?(state: DataView, space: DataView): readonly Omit<MsixVector, 'device'>[];
}

export interface PciRegisterHandler {
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
  /** Configuration space has been written. */
  configured?(): void;
}

export interface PciCapability {
  readonly id: number;
  /** The capability from its third byte on; the first two are its id and the link to the next. */
  readonly body: Uint8Array;
  /** One bits of the body can be written by software; shorter than the body where nothing follows. */
  readonly writable?: Uint8Array;
}

interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  /** Class, subclass and programming interface, as at offset 9. */
  readonly classCode: number;
  readonly revision?: number;
  /** Who made the board, and its number there. */
  readonly subsystem?: { readonly vendor: number; readonly id: number };
  /** The line that INTA is wired to. */
  readonly interruptLine?: number;
  readonly capabilities?: readonly PciCapability[];
  /** Registers and where they are at reset, 32-bit and not prefetchable. */
  readonly memory?: { readonly at: number; readonly registers: PciRegisters };
}

export interface PciFunction {
  readonly name: string;
  readonly reset: Uint8Array;
  /** One bits can be written by software. */
  readonly writable: Uint8Array;
  readonly registers?: PciRegisters;
}

/** A function with a type 0 header. The low bits of a BAR are read-only zeros, by which software finds the size. */
export function pciFunction(name: string, identity: PciIdentity): PciFunction {
  const reset = new DataView(new ArrayBuffer(CONFIGURATION_BYTES));
  const writable = new DataView(new ArrayBuffer(CONFIGURATION_BYTES));
  const { memory, interruptLine, capabilities = [] } = identity;
  reset.setUint16(0, identity.vendor, true);
  reset.setUint16(2, identity.device, true);
  reset.setUint32(8, ((identity.classCode << 8) | (identity.revision ?? 0)) >>> 0, true);
  reset.setUint16(SUBSYSTEM_VENDOR, identity.subsystem?.vendor ?? 0, true);
  reset.setUint16(SUBSYSTEM_ID, identity.subsystem?.id ?? 0, true);
  writable.setUint16(COMMAND, COMMAND_BITS, true);
  if (interruptLine === undefined) writable.setUint8(INTERRUPT_LINE, 0xff);
  else {
    // Read-only, because firmware writes there where a PIIX would route the pin, and drivers go by it.
    reset.setUint8(INTERRUPT_LINE, interruptLine);
    reset.setUint8(INTERRUPT_PIN, 1);
  }
  if (memory) {
    const bar = barOffset(memory.registers.bar);
    reset.setUint16(COMMAND, COMMAND_MEMORY, true);
    reset.setUint32(bar, memory.at, true);
    writable.setUint32(bar, -memory.registers.size >>> 0, true);
  }
  writeCapabilities(reset, writable, capabilities);
  const bytes = { reset: new Uint8Array(reset.buffer), writable: new Uint8Array(writable.buffer) };
  return { name, ...bytes, ...(memory && { registers: memory.registers }) };
}

function writeCapabilities(reset: DataView, writable: DataView, capabilities: readonly PciCapability[]): void {
  if (capabilities.length === 0) return;
  reset.setUint16(STATUS, STATUS_CAPABILITIES, true);
  let link = CAPABILITIES;
  let at = FIRST_CAPABILITY;
  for (const { id, body, writable: bits = [] } of capabilities) {
    reset.setUint8(link, at);
    reset.setUint8(at, id);
    for (const [offset, byte] of body.entries()) reset.setUint8(at + 2 + offset, byte);
    for (const [offset, byte] of bits.entries()) writable.setUint8(at + 2 + offset, byte);
    link = at + 1;
    at += Math.ceil((body.length + 2) / 4) * 4;
  }
}

/** Offset of the first capability with this id in a function's configuration space; undefined when it has none. */
export function capabilityAt(space: DataView, id: number): number | undefined {
  for (let at = space.getUint8(CAPABILITIES); at !== 0; at = space.getUint8(at + 1)) {
    if (space.getUint8(at) === id) return at;
  }
  return undefined;
}

/** True while the function must not drive its interrupt line. */
export const interruptDisabled = (space: DataView): boolean =>
  (space.getUint16(COMMAND, true) & COMMAND_INTERRUPT_DISABLE) !== 0;

const barOffset = (bar: number) => BARS + 4 * bar;

/** Where the registers of a function are now, by its configuration space; undefined while it does not decode memory. */
export function registersAt(space: DataView, { bar }: PciRegisters): number | undefined {
  const on = (space.getUint16(COMMAND, true) & COMMAND_MEMORY) !== 0;
  return on ? space.getUint32(barOffset(bar), true) : undefined;
}
