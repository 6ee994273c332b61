/** Checks of launch.json's attributes that both `launch` and `attach` have. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { noSuchFile, wrongAttribute } from './errors.ts';

/** Attributes as the client sent them: anything. */
export type Raw<Attributes> = { readonly [Name in keyof Attributes]?: unknown };

/** The absolute path of a readable file; undefined when the attribute is left out. */
export async function file(name: string, value: unknown): Promise<string | undefined> {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw wrongAttribute(name, `must be a path, not ${quoted(value)}`);
  const path = resolve(value);
  const reason = await access(path, constants.R_OK).then(
    async () => ((await stat(path)).isFile() ? undefined : 'it is not a file'),
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 'there is no such file' : error.message),
  );
  if (reason) throw noSuchFile(name, path, reason);
  return path;
}

/** The absolute paths of readable files. */
export async function files(name: string, value: unknown): Promise<readonly string[]> {
  const found = await Promise.all(texts(name, value).map((path) => file(name, path)));
  return found.filter((path) => path !== undefined);
}

export function sourceMap(value: unknown): Record<string, string> {
  const fits =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((path) => typeof path === 'string');
  if (!fits) throw wrongAttribute('sourceMap', `must map path prefixes to paths, not ${quoted(value)}`);
  return value as Record<string, string>;
}

export function texts(name: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw wrongAttribute(name, `must be a list of strings, not ${quoted(value)}`);
}

export function oneOf<Choice extends string>(name: string, choices: readonly Choice[], value: unknown): Choice {
  const known = choices.find((choice) => choice === value);
  if (!known) throw wrongAttribute(name, `must be one of ${choices.join(', ')}, not ${quoted(value)}`);
  return known;
}

export function flag(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw wrongAttribute(name, 'must be true or false');
  return value;
}

/** A value for a message. */
export const quoted = (value: unknown) => (JSON.stringify(value) ?? String(value)).slice(0, 80);
