/** Parameters come from outside the process: each is looked at before it is used. */
import { isAbsolute } from 'node:path';
import { ErrorCodes, ResponseError } from 'vscode-jsonrpc';
import { type Hex, parseHex } from '../protocol/hex.ts';

/** Bytes that one memory request may move. */
export const MAX_TRANSFER = 1 << 20;

function invalid(name: string, want: string): ResponseError {
  return new ResponseError(ErrorCodes.InvalidParams, `"${name}" must be ${want}`);
}

function member(params: unknown, name: string): unknown {
  return typeof params === 'object' && params !== null && Object.hasOwn(params, name)
    ? (params as Record<string, unknown>)[name]
    : undefined;
}

/** A whole number from `least` to `most`; throws a `ResponseError` otherwise, as all of these do. */
export function wholeNumber(params: unknown, name: string, least: number, most: number): number {
  const value = member(params, name);
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw invalid(name, `a whole number from ${least} to ${most}`);
}

/** A list of `length` whole numbers, none below 0. */
export function wholeNumbers(params: unknown, name: string, length: number): number[] {
  const value = member(params, name);
  if (Array.isArray(value) && value.length === length && value.every((one) => Number.isSafeInteger(one) && one >= 0)) {
    return value;
  }
  throw invalid(name, `a list of ${length} whole numbers`);
}

export function flag(params: unknown, name: string): boolean {
  const value = member(params, name);
  if (typeof value === 'boolean') return value;
  throw invalid(name, 'true or false');
}

/** A list of at most 64 strings. */
export function texts(params: unknown, name: string): string[] {
  const value = member(params, name);
  const MOST = 64;
  const right = Array.isArray(value) && value.length <= MOST && value.every((each) => typeof each === 'string');
  if (right) return value;
  throw invalid(name, `a list of at most ${MOST} texts`);
}

/** A string of at most 256 characters. */
export function text(params: unknown, name: string, most = 256): string {
  const value = member(params, name);
  if (typeof value === 'string' && value.length <= most) return value;
  throw invalid(name, `a text of at most ${most} characters`);
}

/** The absolute path `path`; a relative one would depend on where the core was started. */
export function path(params: unknown): string {
  const value = text(params, 'path', 4096);
  if (isAbsolute(value) && !value.includes('\0')) return value;
  throw invalid('path', 'an absolute path');
}

/** One of the words in `words`. */
export function oneOf<Word extends string>(params: unknown, name: string, words: readonly Word[]): Word {
  const value = member(params, name);
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw invalid(name, words.join(' or '));
}

const isHex = (value: unknown): value is Hex => typeof value === 'string' && /^0x[0-9a-fA-F]{1,16}$/.test(value);

/** A 64-bit number in the form of `Hex`. */
export function wideNumber(params: unknown, name: string): bigint {
  const value = member(params, name);
  if (isHex(value)) return parseHex(value);
  throw invalid(name, 'a hexadecimal number, 0x and 1 to 16 digits');
}

/** At most `most` of them, each once. */
export function wideNumbers(params: unknown, name: string, most: number): bigint[] {
  const value = member(params, name);
  if (Array.isArray(value) && value.length <= most && value.every(isHex)) return [...new Set(value.map(parseHex))];
  throw invalid(name, `a list of at most ${most} hexadecimal numbers`);
}

/** As {@link wideNumber}; undefined for an absent one. */
export function optionalWideNumber(params: unknown, name: string): bigint | undefined {
  return member(params, name) === undefined ? undefined : wideNumber(params, name);
}

/** Bytes in base64, at most {@link MAX_TRANSFER}. */
export function bytes(params: unknown, name: string): Uint8Array {
  const value = member(params, name);
  if (
    typeof value === 'string' &&
    value.length <= Math.ceil(MAX_TRANSFER / 3) * 4 &&
    /^[A-Za-z0-9+/]*={0,2}$/.test(value)
  ) {
    return Buffer.from(value, 'base64');
  }
  throw invalid(name, `base64 of at most ${MAX_TRANSFER} bytes`);
}
