/** What a `monitor` command is. */
import type { Client } from '../packet.ts';

export interface MonitorCommand {
  readonly name: string;
  readonly parameters?: string;
  readonly help: string;
  /** The text to print, whole lines, or none. */
  run(client: Client, argument: string): string | Promise<string>;
}

/** A number as a monitor takes it, hexadecimal or decimal, of 64 bits; undefined for anything else. */
export function monitorNumber(text: string): bigint | undefined {
  if (!/^(0x[0-9a-fA-F]{1,16}|\d{1,20})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < 1n << 64n ? value : undefined;
}
