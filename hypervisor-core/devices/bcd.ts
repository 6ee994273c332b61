/** Numbers from 0 to 99 as a decimal digit in each half of a byte, as PC clocks keep them. */
export const toBcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);

export const fromBcd = (byte: number): number => (byte >> 4) * 10 + (byte & 15);
