/** Where a server listens: `unix:PATH`, `tcp:PORT` on loopback, or `tcp:HOST:PORT` where another host is asked for. */
import { once } from 'node:events';
import { existsSync, unlinkSync } from 'node:fs';
import { connect, createServer, isIPv4, type ListenOptions, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { UsageError } from './usage-error.ts';

export interface Endpoint {
  readonly text: string;
  readonly listen: ListenOptions;
}

/** Longest path of a Unix socket: `sun_path` less its final NUL. */
const MAX_PATH = 107;
const LOOPBACK = '127.0.0.1';

/** Throws a {@link UsageError} that names `option`. */
export function parseEndpoint(option: string, text: string): Endpoint {
  const unix = /^unix:(.+)$/s.exec(text)?.[1];
  if (unix !== undefined) {
    if (Buffer.byteLength(unix) > MAX_PATH) {
      throw new UsageError(`${option}: the path of a Unix socket is at most ${MAX_PATH} bytes long: ${unix}`);
    }
    return { text, listen: { path: unix } };
  }
  const [, host = LOOPBACK, digits = ''] = /^tcp:(?:(\[[0-9a-fA-F:]+\]|[^:\]]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65535) {
    throw new UsageError(`${option} must be unix:PATH, tcp:PORT or tcp:HOST:PORT, not "${text}"`);
  }
  return { text, listen: { host: host.replace(/^\[|\]$/g, ''), port } };
}

/** Whether only this machine can connect. */
export function isLocal({ listen }: Endpoint): boolean {
  const { path, host = '' } = listen;
  return path !== undefined || host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/**
 * Listens; a Unix socket's name goes away when the server closes. The name that a killed core left behind is taken
 * over, one that somebody still serves is not.
 */
export async function listen(option: string, endpoint: Endpoint, accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ noDelay: true }, accept);
  try {
    await start(server, endpoint);
  } catch (error) {
    const { path } = endpoint.listen;
    if (codeOf(error) !== 'EADDRINUSE' || path === undefined || (await isServed(path))) {
      throw new UsageError(`${option}: cannot listen on ${endpoint.text}: ${describe(error, path)}`);
    }
    unlinkSync(path);
    await start(server, endpoint);
  }
  return server;
}

async function start(server: Server, endpoint: Endpoint): Promise<void> {
  server.listen(endpoint.listen);
  await once(server, 'listening');
}

async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return codeOf(error) !== 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no such host',
};

/** Node gives EACCES for a folder that is not there, too. */
function describe(error: unknown, path: string | undefined): string {
  if (path !== undefined && !existsSync(dirname(path))) return 'the folder does not exist';
  return WORDS[codeOf(error) ?? ''] ?? (error instanceof Error ? error.message : String(error));
}
