/** Where the functions on the PCI bus are and how they are wired; the bus, the DSDT and the memory map follow it. */

export interface PciPlace {
  /** Device number. */
  readonly device: number;
  /** Interrupt line, the same at PIC and I/O APIC; each function has its own. */
  readonly irq: number;
  /** Address of its registers until the guest moves them. */
  readonly bar: number;
}

export const PCI_LAYOUT = {
  rng: { device: 1, irq: 11, bar: 0xfe00_0000 },
  console: { device: 2, irq: 5, bar: 0xfe01_0000 },
  /** Only in machines with a disk. */
  disk: { device: 3, irq: 10, bar: 0xfe02_0000 },
} as const satisfies Readonly<Record<string, PciPlace>>;
