/** What binutils and gdb say of Debian's Xen. */
import { execFileSync } from 'node:child_process';
import { files } from './xen-guest.ts';

const run = (program: string, parameters: readonly string[]) =>
  execFileSync(program, parameters, { encoding: 'utf8', maxBuffer: 1 << 26 });

/** Addresses of Xen's symbols by nm, or of those of another file. */
export function addresses(image = files.symbols): ReadonlyMap<string, bigint> {
  const lines = [...run('nm', [image]).matchAll(/^([0-9a-f]{16}) \w (\S+)$/gm)];
  return new Map(lines.map(([, address, name]) => [name ?? '', BigInt(`0x${address}`)]));
}

/** The first `count` instructions from `address` on by objdump. */
function disassembled(address: bigint, count: number, image: string): RegExpMatchArray[] {
  const range = [`--start-address=${address}`, `--stop-address=${address + BigInt(16 * count)}`];
  const text = run('objdump', ['-d', '--insn-width=16', ...range, image]);
  return [...text.matchAll(/^\s*([0-9a-f]{16}):\t((?:[0-9a-f]{2} )+)\s*(\w*)/gm)].slice(0, count);
}

/** The first `count` instructions of Xen's from `address` on by objdump: address and bytes. */
export const instructions = (address: bigint, count: number): string[] =>
  disassembled(address, count, files.symbols).map(([, at, bytes = '']) => `0x${at} ${bytes.trim()}`);

/** How many words the first domain's kernel takes off its stack from `address` on, before it does anything else. */
export function popsAt(address: bigint): number {
  return disassembled(address, 8, files.kernelSymbols).findIndex(([, , , name]) => name !== 'pop');
}

/** What gdb calls these addresses: `name + offset`. */
export function named(wanted: readonly bigint[], image = files.symbols): string[] {
  const commands = wanted.flatMap((address) => ['-ex', `info symbol ${address}`]);
  const text = run('gdb', ['-q', '-nx', '-batch', ...commands, image]);
  return [...text.matchAll(/^(\S+(?: \+ \d+)?) in section /gm)].map(([, name = '']) => name);
}

/** The numbers of the lines that gdb has for these addresses. */
export function lines(wanted: readonly bigint[], image: string): number[] {
  const commands = wanted.flatMap((address) => ['-ex', `info line *${address}`]);
  const text = run('gdb', ['-q', '-nx', '-batch', ...commands, image]);
  return [...text.matchAll(/^Line (\d+) of /gm)].map(([, number]) => Number(number));
}
