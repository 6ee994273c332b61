/** Names of exception vectors. Intel SDM vol. 3A table 6-1; AMD APM vol. 2 table 8-1 for 28 to 30. */
const exceptions: Readonly<Record<number, string>> = {
  0: '#DE divide error',
  1: '#DB debug',
  2: 'NMI',
  3: '#BP breakpoint',
  4: '#OF overflow',
  5: '#BR bound range exceeded',
  6: '#UD invalid opcode',
  7: '#NM device not available',
  8: '#DF double fault',
  9: 'coprocessor segment overrun',
  10: '#TS invalid TSS',
  11: '#NP segment not present',
  12: '#SS stack fault',
  13: '#GP general protection',
  14: '#PF page fault',
  16: '#MF x87 floating point',
  17: '#AC alignment check',
  18: '#MC machine check',
  19: '#XM SIMD floating point',
  20: '#VE virtualization',
  21: '#CP control protection',
  28: '#HV hypervisor injection',
  29: '#VC VMM communication',
  30: '#SX security',
};

export const NMI_VECTOR = 2;

/** `#PF page fault` for an exception, `interrupt 0x20` for a vector that software gives its meaning. */
export function vectorName(vector: number): string {
  return exceptions[vector] ?? (vector < 32 ? `reserved ${vector}` : `interrupt 0x${vector.toString(16)}`);
}
