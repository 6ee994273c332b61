/** Interrupts as Linux numbers them, with who handles them: /proc/interrupts, kernel/irq/proc.c. */
import { onlineCpus } from './address/per-cpu.ts';
import { collected, type Listed } from './containers/list.ts';
import { mapleEntries } from './containers/maple-tree.ts';
import { xarrayEntries } from './containers/xarray.ts';
import type { Kernel } from './kernel.ts';
import type { KernelObject } from './kernel-object.ts';

const MOST_IRQS = 4096;
/** Handlers of one shared interrupt. */
const MOST_ACTIONS = 64;

export interface Irq {
  readonly number: number;
  /** On its chip: the pin, of most. */
  readonly hardware: number;
  /** `IO-APIC`, `PCI-MSI`, ... */
  readonly chip: string;
  /** How it is handled: `edge`, `fasteoi`, ... */
  readonly flow: string;
  /** How often each CPU got it. */
  readonly counts: readonly number[];
  readonly actions: readonly IrqAction[];
}

export interface IrqAction {
  readonly name: string;
  readonly handler: bigint;
}

/** Those that have a handler or came once. */
export function readIrqs(kernel: Kernel): Promise<Listed<Irq>> {
  return collected(usedIrqs(kernel), MOST_IRQS);
}

async function* usedIrqs(kernel: Kernel): AsyncGenerator<Irq> {
  const cpus = await onlineCpus(kernel);
  for await (const descriptor of descriptors(kernel)) {
    const irq = await readIrq(descriptor, cpus);
    if (irq.actions.length > 0 || irq.counts.some((count) => count > 0)) yield irq;
  }
}

async function* descriptors(kernel: Kernel): AsyncGenerator<KernelObject> {
  // Since 6.5 they are in a maple tree.
  const entries = kernel.has('sparse_irqs')
    ? mapleEntries(kernel.object('maple_tree', kernel.address('sparse_irqs')))
    : xarrayEntries(kernel.object('xarray', kernel.address('irq_desc_tree')));
  for await (const { entry } of entries) yield kernel.object('irq_desc', entry);
}

async function readIrq(descriptor: KernelObject, cpus: readonly number[]): Promise<Irq> {
  const { kernel } = descriptor;
  const chip = await descriptor.object('irq_data.chip');
  const counts = [];
  const counters = await descriptor.integer('kstat_irqs');
  for (const cpu of counters === 0n ? [] : cpus) {
    counts.push(Number(BigInt.asUintN(32, await kernel.word(await kernel.perCpuAt(counters, cpu)))));
  }
  return {
    number: await descriptor.number('irq_data.irq'),
    hardware: await descriptor.number('irq_data.hwirq'),
    chip: (await chip?.text('name')) ?? '',
    flow: await descriptor.text('name'),
    counts,
    actions: await actionsOf(descriptor),
  };
}

async function actionsOf(descriptor: KernelObject): Promise<readonly IrqAction[]> {
  const actions = [];
  let action = await descriptor.object('action');
  for (; action && actions.length < MOST_ACTIONS; action = await action.object('next')) {
    actions.push({ name: await action.text('name'), handler: await action.integer('handler') });
  }
  return actions;
}
