/**
 * The handlers that a paravirtual vCPU has given Xen for its exceptions and software interrupts (set_trap_table): an array of
 * struct trap_info (xen/include/public/arch-x86/xen.h), one for each vector, which its struct vcpu points to.
 */

import { vectorName } from '../../hypervisor-core/interrupts/vectors.ts';
import { inUpperHalf } from '../../hypervisor-core/paging/paging-mode.ts';
import type { DomainVcpu } from './first-domain.ts';
import { PAGE, WORD, type XenMemory } from './xen-memory.ts';

const TRAP = { vector: 0, flags: 1, selector: 2, address: 8, bytes: 16 };
const VECTORS = 256;
/** TI_GET_DPL and TI_GET_IF. */
const [DPL, MASKS_EVENTS] = [3, 4];
const PAGE_FAULT = 14;

export interface Trap {
  readonly vector: number;
  readonly name: string;
  readonly handler: bigint;
  readonly selector: number;
  readonly dpl: number;
  /** It is entered with events masked. */
  readonly masksEvents: boolean;
}

/** Empty for a vCPU that has given none, or that is not paravirtual. */
export async function trapTable(memory: XenMemory, { address }: DomainVcpu): Promise<readonly Trap[]> {
  const vcpu = await memory.view(address, PAGE);
  for (let at = 0; at < PAGE; at += WORD) {
    const pointer = vcpu.getBigUint64(at, true);
    if (!inUpperHalf(pointer) || pointer % BigInt(TRAP.bytes) !== 0n) continue;
    const table = await memory.mapped(pointer, VECTORS * TRAP.bytes);
    if (table && isTrapTable(table)) return traps(table);
  }
  return [];
}

/** Each entry says its own number, or nothing at all; no domain does without page faults. */
function isTrapTable(table: DataView): boolean {
  const isEntry = (vector: number) => table.getUint8(vector * TRAP.bytes) === vector && handlerOf(table, vector) !== 0n;
  const isEmpty = (vector: number) =>
    [0, WORD].every((at) => table.getBigUint64(vector * TRAP.bytes + at, true) === 0n);
  return isEntry(PAGE_FAULT) && range().every((vector) => isEmpty(vector) || isEntry(vector));
}

function traps(table: DataView): readonly Trap[] {
  return range()
    .filter((vector) => handlerOf(table, vector) !== 0n)
    .map((vector) => {
      const at = vector * TRAP.bytes;
      const flags = table.getUint8(at + TRAP.flags);
      return {
        ...{ vector, name: vectorName(vector), handler: handlerOf(table, vector) },
        selector: table.getUint16(at + TRAP.selector, true),
        ...{ dpl: flags & DPL, masksEvents: (flags & MASKS_EVENTS) !== 0 },
      };
    });
}

const handlerOf = (table: DataView, vector: number) => table.getBigUint64(vector * TRAP.bytes + TRAP.address, true);
const range = () => Array.from({ length: VECTORS }, (_, vector) => vector);
