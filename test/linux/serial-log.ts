/** Compares what a kernel says on its serial port with what it says elsewhere, apart from numbers that differ by nature. */

/**
 * What has to be the same on any PC with the same KVM, processor and virtio devices. The rest tells of firmware, of chips
 * that the other machine has and ours has not, of how many vectors its console has, and of how long something took.
 */
const SHARED = [
  /^virtio|^guest: (?!flags|hello|virtio interrupts)/,
  /^(Hypervisor detected|Booting paravirtualized|kvm-guest|x86\/fpu|x86\/mm|Spectre|Speculative|Memory Encryption)/,
  /^(IOAPIC|ACPI: PM-Timer|ACPI: LAPIC_NMI|ACPI: Using ACPI|smpboot: Allowing|smp: Brought|serio: i8042 KBD)/,
  /^(Freeing unused|Write protecting|Run \/init|reboot:)/,
];

/** Lines about `shared` matters, once each. Times, addresses and sizes of the kernel's own tables become `#`. */
export function sharedLines(log: string, shared: readonly RegExp[] = SHARED): string[] {
  const lines = log.split(/\r*\n/).map((line) => line.replace(/^\[ *\d+\.\d+\] /, '').trim());
  const same = lines.filter((line) => shared.some((pattern) => pattern.test(line)));
  return [...new Set(same.map((line) => line.replace(/pci \d+:\d+:\d+\.\d|0x[0-9a-f]+/g, '#')))].sort();
}
