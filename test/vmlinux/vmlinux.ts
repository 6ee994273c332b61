/** Debian's kernel with its debug information, which the suite's set-up has unpacked, and a sample of its functions. */
import { execFileSync } from 'node:child_process';

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

/** `count` functions as nm lists them, the same ones each time. */
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

/**
 * Of `answers`, those that gdb does not give too: of several rows for an address elfutils and binutils take the last, gdb
 * and we the last that begins a statement.
 * @param load gdb's commands that load the symbols.
 */
export function unlikeGdb(
  load: readonly string[],
  answers: readonly { readonly address: bigint; readonly line: string; readonly other: string }[],
): string[] {
  if (answers.length === 0) return [];
  const commands = [...load, ...answers.map(({ address }) => `info line *0x${address.toString(16)}`)];
  const text = run('gdb', ['-batch', '-nx', '-iex', 'set width 0', ...commands.flatMap((each) => ['-ex', each])]);
  const lines = [...text.matchAll(/^(?:Line (\d+) of "([^"]+)"|No line number|Address 0x\S+ is at)/gm)];
  if (lines.length !== answers.length) throw new Error(`gdb answers ${lines.length} of ${answers.length} questions`);
  return answers.flatMap(({ address, line, other }, index) => {
    const [, number, file] = lines[index] ?? [];
    const gdb = `${file?.split('/').at(-1)}:${number}`;
    return gdb === line ? [] : [`0x${address.toString(16)}: ${line} instead of ${gdb} (gdb), ${other}`];
  });
}
