/** The configuration space of one PCI function (PCI Local Bus 3.0, chapter 6): what it reads at reset, what is writable. */

const CONFIGURATION_BYTES = 256;
const BARS = 0x10;

const COMMAND = 0x04;
const INTERRUPT_LINE = 0x3c;
/** Bits of the command register that software may set: I/O, memory, bus master, interrupt disable. */
const COMMAND_BITS = 0x0407;

interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  /** Class, subclass and programming interface, as at offset 9. */
  readonly classCode: number;
  readonly revision?: number;
  /** Memory that the function decodes, 32-bit and not prefetchable. */
  readonly memoryBars?: readonly { readonly index: number; readonly size: number }[];
}

export interface PciFunction {
  readonly name: string;
  readonly reset: Uint8Array;
  /** One bits can be written by software. */
  readonly writable: Uint8Array;
}

/**
 * A function with a type 0 header. A BAR's size is a power of two from 16; its low bits are read-only zeros, by which
 * software finds the size.
 */
export function pciFunction(name: string, identity: PciIdentity): PciFunction {
  const reset = new DataView(new ArrayBuffer(CONFIGURATION_BYTES));
  const writable = new DataView(new ArrayBuffer(CONFIGURATION_BYTES));
  reset.setUint16(0, identity.vendor, true);
  reset.setUint16(2, identity.device, true);
  reset.setUint32(8, ((identity.classCode << 8) | (identity.revision ?? 0)) >>> 0, true);
  writable.setUint16(COMMAND, COMMAND_BITS, true);
  writable.setUint8(INTERRUPT_LINE, 0xff);
  for (const { index, size } of identity.memoryBars ?? []) writable.setUint32(BARS + 4 * index, -size >>> 0, true);
  return { name, reset: new Uint8Array(reset.buffer), writable: new Uint8Array(writable.buffer) };
}
