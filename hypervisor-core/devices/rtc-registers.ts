/** Registers of the MC146818 that its time and its interrupts share (datasheet, registers A to D). */
export const REGISTER_A = 0x0a;
export const REGISTER_B = 0x0b;
export const REGISTER_C = 0x0c;
export const REGISTER_D = 0x0d;
