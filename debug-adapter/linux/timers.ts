/** Timers that wait: high resolution ones (kernel/time/hrtimer.c, /proc/timer_list) and those of the wheel (kernel/time/timer.c). */
import { onlineCpus } from './address/per-cpu.ts';
import { collected, type Listed } from './containers/list.ts';
import { rbNodes } from './containers/rb-tree.ts';
import type { Kernel } from './kernel.ts';

const MOST_TIMERS = 10_000;
const WORD = 8;

/** `enum hrtimer_base_type`; the second half is run by soft interrupts. */
const clocks = ['monotonic', 'realtime', 'boottime', 'tai'];

export interface Timer {
  readonly cpu: number;
  /** Of its structure. */
  readonly address: bigint;
  readonly function: bigint;
  /** Of a high resolution timer: nanoseconds of this clock; of another: jiffies. */
  readonly expires: bigint;
  readonly clock: string;
}

/** Those of each CPU, high resolution ones first. */
export function readTimers(kernel: Kernel): Promise<Listed<Timer>> {
  return collected(timers(kernel), MOST_TIMERS);
}

async function* timers(kernel: Kernel): AsyncGenerator<Timer> {
  for (const cpu of await onlineCpus(kernel)) {
    yield* hrtimers(kernel, cpu);
    yield* wheel(kernel, cpu);
  }
}

async function* hrtimers(kernel: Kernel, cpu: number): AsyncGenerator<Timer> {
  const bases = kernel.object('hrtimer_cpu_base', await kernel.perCpu('hrtimer_bases', cpu));
  const offset = kernel.object('hrtimer', 0n).addressOf('node.node');
  for (let n = 0; n < 2 * clocks.length; n++) {
    const root = await bases.integer(`clock_base[${n}].active.rb_root.rb_root.rb_node`);
    for await (const node of rbNodes(kernel, root)) {
      const timer = kernel.object('hrtimer', node - offset);
      yield {
        cpu,
        address: timer.address,
        function: await timer.integer('function'),
        expires: await timer.integer('node.expires'),
        clock: clocks[n % clocks.length] ?? '',
      };
    }
  }
}

async function* wheel(kernel: Kernel, cpu: number): AsyncGenerator<Timer> {
  const { size } = kernel.structure('timer_base');
  const [symbol] = kernel.symbols.symbolsNamed('timer_bases');
  const first = await kernel.perCpu('timer_bases', cpu);
  const offset = kernel.object('timer_list', 0n).addressOf('entry');
  for (let n = 0; symbol && (n + 1) * size <= Number(symbol.size); n++) {
    const base = kernel.object('timer_base', first + BigInt(n * size));
    const bytes = Buffer.from(await kernel.read(base.addressOf('vectors'), WORD * base.count('vectors')));
    for (let at = 0; at + WORD <= bytes.length; at += WORD) {
      let entry = bytes.readBigUInt64LE(at);
      for (let count = 0; entry !== 0n && count < MOST_TIMERS; count++) {
        const timer = kernel.object('timer_list', entry - offset);
        const { address } = timer;
        const expires = await timer.integer('expires');
        yield { cpu, address, function: await timer.integer('function'), expires, clock: 'jiffies' };
        entry = await timer.integer('entry.next');
      }
    }
  }
}
