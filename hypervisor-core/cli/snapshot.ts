/** `ringside snapshot`: snapshots of a guest that another core runs, over its inspect channel. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { createMessageConnection, type MessageConnection } from 'vscode-jsonrpc/node';
import { inspect, type SnapshotInfo } from '../protocol/inspect.ts';
import { parseEndpoint } from './endpoint.ts';
import { UsageError } from './usage-error.ts';

const USAGE = `Usage: ringside snapshot ADDRESS COMMAND

ADDRESS is what the guest's "ringside run" has as --inspect. The guest must stand still: with --wait, or stopped by a debugger.

  list                  the snapshots of the guest
  take NAME             keep the whole machine as it is
  restore NAME          make it what it was
  remove NAME           forget a snapshot
  save NAME FILE        write a snapshot into a file, for "ringside run --restore FILE"
  load FILE             add the snapshot in a file
`;

type Command = (core: MessageConnection, ...words: string[]) => Promise<string>;

const line = ({ name, bytes, taken }: SnapshotInfo) => `${name}  ${(bytes / 2 ** 20).toFixed(1)} MiB  ${taken}\n`;

/** By name, with what each must be followed by. */
const commands: Readonly<Record<string, { readonly words: readonly string[]; readonly run: Command }>> = {
  list: {
    words: [],
    run: async (core) => (await core.sendRequest(inspect.snapshots)).map(line).join(''),
  },
  take: {
    words: ['NAME'],
    run: async (core, name = '') => line(await core.sendRequest(inspect.takeSnapshot, { name })),
  },
  restore: {
    words: ['NAME'],
    run: async (core, name = '') => done(core.sendRequest(inspect.restoreSnapshot, { name })),
  },
  remove: {
    words: ['NAME'],
    run: async (core, name = '') => done(core.sendRequest(inspect.removeSnapshot, { name })),
  },
  save: {
    words: ['NAME', 'FILE'],
    run: async (core, name = '', file = '') =>
      done(core.sendRequest(inspect.saveSnapshot, { name, path: resolve(file) })),
  },
  load: {
    words: ['FILE'],
    run: async (core, file = '') => line(await core.sendRequest(inspect.loadSnapshot, { path: resolve(file) })),
  },
};

const done = async (request: Promise<void>) => {
  await request;
  return '';
};

/** Runs one command and gives the exit status. Throws a {@link UsageError} for a line that cannot be followed. */
export async function snapshot([address, name = '', ...words]: readonly string[]): Promise<number> {
  if (address === undefined || address === '--help' || address === '-h') {
    process.stdout.write(USAGE);
    return address === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new UsageError(`snapshot: there is no "${name}", but ${Object.keys(commands).join(', ')}`);
  if (words.length !== command.words.length) {
    throw new UsageError(`snapshot: usage: ringside snapshot ADDRESS ${[name, ...command.words].join(' ')}`);
  }
  const { listen, text } = parseEndpoint('snapshot', address);
  const socket = listen.path === undefined ? connect(listen.port ?? 0, listen.host) : connect(listen.path);
  try {
    await once(socket, 'connect').catch((error: Error) => {
      throw new UsageError(`snapshot: no guest answers at ${text}: ${error.message}`);
    });
    const core = createMessageConnection(socket, socket);
    core.listen();
    process.stdout.write(await command.run(core, ...words));
    core.dispose();
    return 0;
  } finally {
    socket.destroy();
  }
}
