/** Interrupt vectors as people write them. */

export const NMI = 'nmi';

/** A vector that can be sent to a local APIC (16 to 255), decimal or hexadecimal, or {@link NMI}; undefined for anything else. */
export function parseVector(text: string): number | typeof NMI | undefined {
  const word = text.trim().toLowerCase();
  if (word === NMI) return NMI;
  if (!/^(0x[0-9a-f]{1,2}|[0-9]{1,3})$/.test(word)) return undefined;
  const vector = Number(word);
  return vector >= 16 && vector <= 255 ? vector : undefined;
}
