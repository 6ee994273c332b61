/** Which service an interrupt is (Ralf Brown's Interrupt List has them all). */
import type { BiosCall } from './call.ts';
import { disk } from './disk.ts';
import { keyboardInterrupt, keys } from './keys.ts';
import { KEYBOARD } from './layout.ts';
import { equipment, memorySize, system, time } from './system.ts';
import { video } from './video.ts';

/** By interrupt. */
export const services: ReadonlyMap<number, (call: BiosCall) => void> = new Map([
  [KEYBOARD, keyboardInterrupt],
  [0x10, video],
  [0x11, equipment],
  [0x12, memorySize],
  [0x13, disk],
  [0x15, system],
  [0x16, keys],
  [0x1a, time],
]);
