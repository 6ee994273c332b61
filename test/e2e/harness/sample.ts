/** The sample guest as a user has it: the image and its sources in one folder; and what other tools say about it. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './staged-extension.ts';

export const IMAGE = 'ringside-sample.elf';

/** Fills `folder` as "Ringside: Open Sample Guest" does. */
export function copySample(folder: string): void {
  cpSync(join(root, 'media/sample'), folder, { recursive: true });
  const sources = join(root, 'test/guests/sample');
  for (const name of readdirSync(sources)) {
    if (/\.(c|h|S|ld)$|^Makefile$/.test(name)) cpSync(join(sources, name), join(folder, name));
  }
}

/** Asks in `folder` for the program that F5 would find there by itself, with more attributes of a launch. */
export function writeLaunchFile(folder: string, attributes: Readonly<Record<string, unknown>>): void {
  const configuration = { name: 'Sample', type: 'kvm', request: 'launch', program: join(folder, IMAGE), ...attributes };
  mkdirSync(join(folder, '.vscode'));
  writeFileSync(
    join(folder, '.vscode/launch.json'),
    JSON.stringify({ version: '0.2.0', configurations: [configuration] }),
  );
}

/** The line of `file` that carries `//#MARKER name`. */
export function markedLine(file: string, name: string): number {
  const lines = readFileSync(join(root, 'test/guests/sample', file), 'utf8').split('\n');
  const index = lines.findIndex((line) => line.endsWith(`//#MARKER ${name}`));
  if (index < 0) throw new Error(`${file} has no marker ${name}`);
  return index + 1;
}

/** Address of a symbol as GNU nm gives it. */
export function symbolAddress(name: string): bigint {
  const { stdout } = spawnSync('nm', [join(root, 'media/sample', IMAGE)], { encoding: 'utf8' });
  const line = stdout.split('\n').find((one) => one.endsWith(` ${name}`));
  if (!line) throw new Error(`nm knows no ${name}`);
  return BigInt(`0x${line.split(' ')[0]}`);
}

/** What is at an address of the image, as GNU objdump gives it: up to 16 bytes of two digits. */
export function imageBytes(address: string): string[] {
  const range = [`--start-address=${address}`, `--stop-address=0x${(BigInt(address) + 16n).toString(16)}`];
  const { stdout } = spawnSync('objdump', ['-s', ...range, join(root, 'media/sample', IMAGE)], { encoding: 'utf8' });
  const [, words = ''] = /^ [0-9a-f]+ ((?:[0-9a-f]{2,8} ){1,4})/m.exec(stdout) ?? [];
  const bytes = words.match(/[0-9a-f]{2}/g);
  if (!bytes) throw new Error(`objdump has nothing at ${address}:\n${stdout}`);
  return bytes;
}
