/** Restart without a new machine: our core puts the guest back before its first instruction. */
import { stat } from 'node:fs/promises';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import type { Guest, StartArguments } from './guest.ts';

/** What tells a file from a newer one in its place; a file that is not there is told from every other, too. */
async function stamp(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path).catch(() => ({ mtimeMs: 0, size: -1, ino: 0 }));
  return `${ino} ${size} ${mtimeMs}`;
}

const modulePath = (module: string) => module.replace(/ .*/s, '');

/** The state of all files that a guest is made of. */
export async function stampsOf(args: StartArguments): Promise<string> {
  const { initrd, firmware, modules } =
    args.request === 'launch' ? args : { initrd: undefined, firmware: undefined, modules: [] };
  const paths = [args.program, args.symbols, ...args.moreSymbols, initrd, firmware, ...modules.map(modulePath)].filter(
    (path) => path !== undefined,
  );
  return (await Promise.all(paths.map(stamp))).join('\n');
}

/**
 * True when the guest stands before its first instruction again. False where only a new one can do: the target cannot, or
 * its files have changed since it was started, as after the kernel was built anew.
 */
export async function rewind(guest: Guest, args: StartArguments): Promise<boolean> {
  const { inspect: connection } = guest.target;
  if (!connection || guest.stamps !== (await stampsOf(args))) return false;
  await guest.runner.halt();
  // A guest that ends just now is started anew.
  return connection.sendRequest(inspect.restart).then(
    () => true,
    () => false,
  );
}
