/** Decodes a message-signalled interrupt: what a write to the local APICs' window means. Intel SDM vol. 3A 11.11. */
import { deliveryModes } from './lapic.ts';
import { NMI_VECTOR } from './vectors.ts';

export interface MessageRoute {
  readonly vector: number;
  readonly delivery: string;
  readonly destinationMode: 'physical' | 'logical';
  /** An APIC id of 8 bits, or a logical destination. */
  readonly destination: number;
  /** The destination is a set of which one takes the interrupt. */
  readonly redirected: boolean;
  readonly trigger: 'edge' | 'level';
}

/** The vector that the vCPU is to take; undefined where it is not the sender who says (ExtINT), or there is none (SMI, INIT). */
export function vectorOf({ vector, delivery }: Pick<MessageRoute, 'vector' | 'delivery'>): number | undefined {
  if (delivery === 'NMI') return NMI_VECTOR;
  return delivery === 'fixed' || delivery === 'lowest priority' ? vector : undefined;
}

const bit = (value: number, number: number) => ((value >>> number) & 1) !== 0;

/** `data` is the low 32 bits that are written to `address`. */
export function decodeMessage(address: bigint, data: number): MessageRoute {
  const low = Number(address & 0xffff_ffffn);
  return {
    vector: data & 0xff,
    delivery: deliveryModes[(data >>> 8) & 7] ?? 'reserved',
    destinationMode: bit(low, 2) ? 'logical' : 'physical',
    destination: (low >>> 12) & 0xff,
    redirected: bit(low, 3),
    trigger: bit(data, 15) ? 'level' : 'edge',
  };
}
