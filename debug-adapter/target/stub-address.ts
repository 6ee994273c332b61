/** Where a stub or a monitor listens, as launch.json says it: `HOST:PORT`, `tcp:HOST:PORT`, `unix:PATH`. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { TargetError } from './target.ts';

export type StubAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** For messages: what {@link parseStubAddress} takes. */
export const STUB_ADDRESSES = '"HOST:PORT" or "unix:PATH"';

/** Undefined for what is no address. A host left out, as in `:1234`, is this machine. */
export function parseStubAddress(text: string): StubAddress | undefined {
  const path = /^unix:(.{1,100})$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const match = /^(?:tcp:)?(?:\/\/)?(\[[0-9a-fA-F:.]+\]|[\w.-]*):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port < 1 || port > 65_535) return undefined;
  return { kind: 'tcp', host: match[1]?.replace(/[[\]]/g, '') || 'localhost', port };
}

export const addressText = (address: StubAddress) =>
  address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;

const PATIENCE = 10_000;
const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'there is no such socket',
  ENOTFOUND: 'there is no such host',
  EACCES: 'you may not use this socket',
};

/** Throws `TargetError` that says what is wrong. `what`: for the message, e.g. `GDB stub`. */
export async function connectTo(address: StubAddress, what: string): Promise<Socket> {
  const socket = address.kind === 'unix' ? connect(address.path) : connect(address.port, address.host);
  const late = new AbortController();
  try {
    await Promise.race([
      once(socket, 'connect'),
      delay(PATIENCE, undefined, { signal: late.signal }).then(() => {
        throw new Error(`no answer for ${PATIENCE / 1000} s`);
      }),
    ]);
    socket.setNoDelay(true);
    return socket;
  } catch (error) {
    socket.destroy();
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new TargetError(`no ${what} at ${addressText(address)}: ${WHY[code] ?? message}`);
  } finally {
    late.abort();
  }
}
