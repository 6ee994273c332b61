/** Registers sorted into the groups under which people look for them. */

import { describeBits } from '../../hypervisor-core/protocol/register-bits.ts';
import { registersByName } from '../../hypervisor-core/protocol/target-description.ts';
import type { RegisterInfo } from '../target/target.ts';

export const REGISTER_GROUPS = [
  'General',
  'Segment',
  'Control',
  'Descriptor tables',
  'Debug',
  'Floating point',
  'Vector',
  'Other',
] as const;

export type RegisterGroupName = (typeof REGISTER_GROUPS)[number];

const TITLES: Readonly<Record<string, RegisterGroupName>> = {
  general: 'General',
  segment: 'Segment',
  control: 'Control',
  system: 'Descriptor tables',
  debug: 'Debug',
  float: 'Floating point',
  vector: 'Vector',
};

/** The group of a register: known names are sorted alike for every stub. */
export function groupOf({ name, group }: RegisterInfo): RegisterGroupName {
  const known = registersByName.get(name)?.group ?? group;
  const title = TITLES[known] ?? 'Other';
  // A segment's hidden part belongs to the segment, whichever feature of the description it comes from.
  return /^[c-gs]s_(base|limit|attr)$/.test(name) ? 'Segment' : title;
}

/** `0x246 [ZF PF]`: all digits of the width, and the names of the bits that are set. */
export function registerText({ name, bits }: RegisterInfo, value: bigint): string {
  const digits = `0x${value.toString(16).padStart(bits > 64 ? bits / 4 : 1, '0')}`;
  const set = describeBits(name, value);
  return set === '' ? digits : `${digits} [${set}]`;
}
