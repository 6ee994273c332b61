/** Debian's kernel with its debug information, which the suite's set-up has unpacked, and a sample of its functions. */
import { execFileSync } from 'node:child_process';
import type { OpenSymbols } from '../../debug-adapter/symbols/symbols.ts';

export const vmlinux = process.env['RINGSIDE_VMLINUX'] ?? '';
/** A kernel module of the same build. */
export const kernelModule = process.env['RINGSIDE_MODULE'] ?? '';

export const run = (tool: string, parameters: readonly string[], input = ''): string =>
  execFileSync(tool, parameters, { encoding: 'utf8', maxBuffer: 1 << 30, input, stdio: ['pipe', 'pipe', 'ignore'] });

export interface KernelFunction {
  readonly name: string;
  readonly address: bigint;
  readonly size: bigint;
}

/** Room before a function for code that the kernel puts there when it runs. */
export const isPadding = (name: string): boolean => name.startsWith('__pfx_');

/** `count` functions as nm lists them, paddings among them, the same ones each time. */
export function sampleFunctions(image: string, count: number): KernelFunction[] {
  const all = [...run('nm', ['-S', image]).matchAll(/^([0-9a-f]{16}) ([0-9a-f]{16}) [tT] (\S+)$/gm)]
    .map(([, address, size, name]) => ({
      name: name as string,
      address: BigInt(`0x${address}`),
      size: BigInt(`0x${size}`),
    }))
    .filter(({ size }) => size > 0n);
  const random = randomFrom(20_26);
  const picked = new Set<KernelFunction>();
  while (picked.size < Math.min(count, all.length))
    picked.add(all[Math.floor(random() * all.length)] as KernelFunction);
  return [...picked];
}

/** Numbers from 0 to 1, the same on every machine: Lehmer's generator (Park and Miller, 1988). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** What is said of the line of an address: the file's name and the number. */
export interface Answer {
  readonly address: bigint;
  readonly line: string;
}

const lastPart = (path: string) => path.split('/').at(-1);

/** Ours. */
export function answer(symbols: OpenSymbols, address: bigint): Answer {
  const line = symbols.lineAt(address);
  return { address, line: line ? `${lastPart(line.file)}:${line.line}` : '??:0' };
}

/** Of `answers`, those that elfutils does not give too, with its own. @param base what it counts addresses from */
export function unlikeElfutils(
  parameters: readonly string[],
  answers: readonly Answer[],
  base = 0n,
): (Answer & { readonly other: string })[] {
  const questions = answers.map(({ address }) => `0x${(address - base).toString(16)}\n`).join('');
  const theirs = run('eu-addr2line', parameters, questions).trim().split('\n');
  if (theirs.length !== answers.length) throw new Error(`eu-addr2line answers ${theirs.length} of ${answers.length}`);
  return answers.flatMap((ours, index) => {
    const [file = '', line = ''] = (theirs[index] as string).split(':');
    const other = `${lastPart(file)}:${line}`;
    return ours.line === other ? [] : [{ ...ours, other }];
  });
}

/**
 * Of `answers`, those that gdb does not give too: of several rows for an address elfutils and binutils take the last, gdb
 * and we the last that begins a statement.
 * @param load gdb's commands that load the symbols.
 */
export function unlikeGdb(
  load: readonly string[],
  answers: readonly (Answer & { readonly other: string })[],
): string[] {
  if (answers.length === 0) return [];
  const commands = [...load, ...answers.map(({ address }) => `info line *0x${address.toString(16)}`)];
  const text = run('gdb', ['-batch', '-nx', '-iex', 'set width 0', ...commands.flatMap((each) => ['-ex', each])]);
  const lines = [...text.matchAll(/^(?:Line (\d+) of "([^"]+)"|No line number|Address 0x\S+ is at)/gm)];
  if (lines.length !== answers.length) throw new Error(`gdb answers ${lines.length} of ${answers.length} questions`);
  return answers.flatMap(({ address, line, other }, index) => {
    const [, number, file] = lines[index] ?? [];
    const gdb = file ? `${lastPart(file)}:${number}` : '??:0';
    return gdb === line ? [] : [`0x${address.toString(16)}: ${line} instead of ${gdb} (gdb), ${other}`];
  });
}
