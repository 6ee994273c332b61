/** Where the functions on the PCI bus are and how they are wired; the bus, the DSDT and the memory map follow it. */

interface PciPlace {
  /** Device number. */
  readonly device: number;
  /** Interrupt line, the same at PIC and I/O APIC; each function has its own. */
  readonly irq: number;
  /** Address of its registers until the guest moves them. */
  readonly bar: number;
}

export const PCI_LAYOUT = {
  rng: { device: 1, irq: 11, bar: 0xfe00_0000 },
} as const satisfies Readonly<Record<string, PciPlace>>;
