/** Character strings of the guest, escaped as C writes them. */
import type { EvaluationContext } from './api.ts';

const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  27: '\\033',
  34: '\\"',
  39: "\\'",
  92: '\\\\',
};

function escapeByte(byte: number, quote: '"' | "'"): string {
  const other = quote === '"' ? 39 : 34;
  if (byte === other) return String.fromCharCode(byte);
  const known = ESCAPES[byte];
  if (known !== undefined) return known;
  if (byte >= 32 && byte < 127) return String.fromCharCode(byte);
  return `\\${byte.toString(8).padStart(3, '0')}`;
}

/** `'A'`, `'\n'`, `'\377'` */
export function characterLiteral(byte: number): string {
  return `'${escapeByte(byte, "'")}'`;
}

/** The bytes in quotes; valid UTF-8 letters as themselves, anything that could disturb a line of text escaped. */
export function stringLiteral(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at] ?? 0);
    const character = length > 1 ? decode(bytes.subarray(at, at + length)) : undefined;
    text += character ?? escapeByte(bytes[at] ?? 0, '"');
    at += character === undefined ? 1 : length;
  }
  return `"${text}"`;
}

const sequenceLength = (lead: number) => (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1);

/** One printable character from one UTF-8 sequence. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

export interface GuestString {
  readonly bytes: Uint8Array;
  /** Ended by a NUL, and not by the limit or the end of mapped memory. */
  readonly terminated: boolean;
}

/** The string at an address, at most `limit` bytes; undefined where nothing is mapped. Never reads past a page for nothing. */
export async function readString(
  address: bigint,
  limit: number,
  context: EvaluationContext,
): Promise<GuestString | undefined> {
  const bytes: number[] = [];
  let next = address;
  while (bytes.length < limit) {
    const toPageEnd = 4096 - Number(next & 0xfffn);
    const chunk = await context.readMemory(next, Math.min(limit - bytes.length, toPageEnd, 128));
    if (chunk.length === 0)
      return bytes.length === 0 ? undefined : { bytes: Uint8Array.from(bytes), terminated: false };
    for (const byte of chunk) {
      if (byte === 0) return { bytes: Uint8Array.from(bytes), terminated: true };
      bytes.push(byte);
    }
    next = BigInt.asUintN(64, next + BigInt(chunk.length));
  }
  const after = await context.readMemory(next, 1);
  return { bytes: Uint8Array.from(bytes), terminated: after[0] === 0 };
}
