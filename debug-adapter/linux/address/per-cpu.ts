/** The areas in which each CPU has its copy of what is `DEFINE_PER_CPU`. */

import { symbolOffset } from '../../symbols/readable-name.ts';
import type { Kernel } from '../kernel.ts';

const MOST_CPUS = 8192;

/** Numbers of the CPUs that the kernel has set areas up for. */
export async function onlineCpus(kernel: Kernel): Promise<readonly number[]> {
  if (!kernel.has('nr_cpu_ids')) return [0];
  const count = Number(BigInt.asUintN(32, await kernel.word(kernel.address('nr_cpu_ids'))));
  return Array.from({ length: Math.min(count, MOST_CPUS) }, (_, cpu) => cpu);
}

/** `name+0x8 of CPU 1` for an address in a CPU's area of the image's variables. */
export async function perCpuVariable(kernel: Kernel, address: bigint): Promise<string | undefined> {
  if (!kernel.has('__per_cpu_offset') || !kernel.has('__per_cpu_end')) return undefined;
  const start = kernel.address('__per_cpu_start');
  const end = kernel.address('__per_cpu_end');
  for (const cpu of await onlineCpus(kernel)) {
    const inImage = BigInt.asUintN(64, address - (await kernel.perCpuAt(0n, cpu)));
    if (inImage < start || inImage >= end) continue;
    const symbol = kernel.symbols.symbolAt(inImage);
    if (symbol) return `${symbolOffset(symbol, inImage)} of CPU ${cpu}`;
  }
  return undefined;
}
