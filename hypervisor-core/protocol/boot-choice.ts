/** How a kernel can be booted, and how a person says so: `ringside run --boot`, launch.json's `boot`. */

export const BOOT_PROTOCOLS = [
  'elf32',
  'elf64',
  'multiboot1',
  'multiboot2',
  'linux',
  'pvh',
  'flat16',
  'flat32',
  'flat64',
  'sector',
] as const;

/** The machine's own way to start, which is no choice among kernels: firmware at the reset vector (protocol/firmware.ts). */
export const FIRMWARE = 'firmware';

export type BootProtocol = (typeof BOOT_PROTOCOLS)[number] | typeof FIRMWARE;

export interface BootChoice {
  readonly protocol: BootProtocol;
  /** Load address and entry point; with flat binaries alone. */
  readonly address?: bigint;
}

/** For messages: what {@link parseBootChoice} takes. */
export const BOOT_CHOICES = `auto, ${BOOT_PROTOCOLS.join(', ')}; flat16, flat32 and flat64 with an address if need be, such as flat32@0x100000`;

/**
 * Reads `auto`, a protocol's name, or a flat binary's name with the address that it is loaded at and entered. Gives
 * `auto` for a choice by content, and undefined for anything else.
 */
export function parseBootChoice(text: string): BootChoice | 'auto' | undefined {
  if (text === 'auto') return 'auto';
  const match = /^([a-z0-9]{1,16})(?:@(0x[0-9a-f]{1,16}|\d{1,20}))?$/i.exec(text);
  const protocol = BOOT_PROTOCOLS.find((name) => name === match?.[1]);
  if (!protocol) return undefined;
  const address = match?.[2];
  if (address === undefined) return { protocol };
  return protocol.startsWith('flat') ? { protocol, address: BigInt(address) } : undefined;
}
