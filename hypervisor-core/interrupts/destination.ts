/** Which local APIC an interrupt goes to. */
import type { LapicState } from '../protocol/inspect.ts';
import type { MessageRoute } from './message.ts';

export type Destination = Pick<MessageRoute, 'destinationMode' | 'destination'>;

/** Whether a local APIC takes interrupts at all. */
export const accepts = ({ mode, softwareEnabled }: LapicState): boolean => mode !== 'disabled' && softwareEnabled;

/** Whether a destination means this local APIC. SDM vol. 3A 11.6.2. */
export function isDestination({ destinationMode, destination }: Destination, lapic: LapicState): boolean {
  if (destinationMode === 'physical') return destination === 0xff || destination === lapic.id;
  const logical = lapic.ldr & 0xff;
  const flat = lapic.dfr >>> 28 === 0xf || lapic.mode === 'x2apic';
  if (flat) return (destination & logical) !== 0;
  const cluster = destination >> 4;
  return (cluster === 0xf || cluster === logical >> 4) && (destination & logical & 0xf) !== 0;
}
