/** Scans of page tables for a client, in slices: the core has guests and other clients to serve meanwhile. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PhysicalMemory, Vcpu } from '../machine/api.ts';
import type { Reads } from '../paging/reads.ts';
import { scanPages } from '../paging/scan.ts';
import { packScan } from '../paging/scan-codec.ts';
import type { PackedPageScan } from '../protocol/inspect.ts';
import { optionalWideNumber } from './params.ts';

/** Milliseconds of the event loop that one slice takes. */
const SLICE = 10;

/** `cr3` in `params` is another root than the vCPU's own. */
export async function scanPageTables(vcpu: Vcpu, memory: PhysicalMemory, params: unknown): Promise<PackedPageScan> {
  const register = (name: string) => littleEndian(vcpu.registers.read(name));
  const cr3 = optionalWideNumber(params, 'cr3') ?? register('cr3');
  const state = { cr0: register('cr0'), cr3, cr4: register('cr4'), efer: register('efer') };
  return packScan(await inSlices(scanPages(state), (gpa, length) => memory.read(gpa, length)));
}

const littleEndian = (bytes: Uint8Array) => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

async function inSlices<Result>(
  steps: Reads<Result>,
  read: (address: bigint, length: number) => Uint8Array,
): Promise<Result> {
  let until = performance.now() + SLICE;
  let step = steps.next();
  while (!step.done) {
    if (performance.now() > until) {
      await nextTurn();
      until = performance.now() + SLICE;
    }
    step = steps.next(read(step.value.address, step.value.length));
  }
  return step.value;
}
