/** What a stub answers to a packet that does something or asks for something: `OK`, data, an error or nothing. */
import { hexToBytes } from '../../hypervisor-core/protocol/rsp.ts';
import { TargetError } from './target.ts';

export const isError = (reply: string): boolean => reply === '' || /^E(\.|[0-9a-f]{2}$)/i.test(reply);

/** `E.text` carries words, `Enn` a number that every stub chooses for itself. */
export const errorText = (reply: string): string =>
  reply.startsWith('E.') ? reply.slice(2) : `the stub answered "${reply}"`;

/** Gives the reply, or throws a TargetError for an error; `action` is what could not be done. */
export function check(reply: string, action: string): string {
  if (isError(reply)) throw new TargetError(`Cannot ${action}: ${errorText(reply)}`);
  return reply;
}

/** Throws a TargetError for anything but `OK`. */
export function expectOk(reply: string, action: string): void {
  if (reply !== 'OK') throw new TargetError(`Cannot ${action}: ${errorText(reply)}`);
}

/** The bytes of a reply in hexadecimal digits. */
export function bytesOf(reply: string, action: string): Uint8Array {
  const bytes = hexToBytes(reply);
  if (!bytes) throw new TargetError(`Cannot ${action}: the stub answered something else than hexadecimal digits.`);
  return bytes;
}
