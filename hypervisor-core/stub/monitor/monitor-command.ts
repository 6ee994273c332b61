/** What a `monitor` command is. */
import type { Client } from '../packet.ts';

export interface MonitorCommand {
  readonly name: string;
  readonly parameters?: string;
  readonly help: string;
  /** The text to print, whole lines, or none. */
  run(client: Client, argument: string): string | Promise<string>;
}
