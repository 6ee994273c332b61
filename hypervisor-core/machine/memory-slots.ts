/**
 * KVM memory slots over guest RAM. Pages under a watchpoint become slots of their own that the guest may not write: a
 * write to them leaves KVM_RUN with address, size and value. Change slots only while no vCPU runs.
 */
import type { MemorySlot } from '../kvm/vm.ts';
import type { RamRange } from './guest-ram.ts';

export const PAGE = 4096;

/** What of a slot is decided here; its number and host address follow. */
type SlotShape = Pick<MemorySlot, 'gpa' | 'size' | 'readOnly'> & { readonly offset: number };

/** RAM cut up so that the pages in `readOnly` (guest-physical, page-aligned) stand alone. */
function slotShapes(ranges: readonly RamRange[], readOnly: ReadonlySet<number>): SlotShape[] {
  return ranges.flatMap((range) => {
    const cuts = [...readOnly].filter((page) => page >= range.gpa && page < range.gpa + range.size);
    const shapes: SlotShape[] = [];
    let from = range.gpa;
    const add = (to: number, protect: boolean) => {
      if (to > from) {
        shapes.push({ gpa: from, size: to - from, readOnly: protect, offset: range.offset + from - range.gpa });
      }
      from = to;
    };
    for (const page of cuts.sort((a, b) => a - b)) {
      add(page, false);
      add(page + PAGE, true);
    }
    add(range.gpa + range.size, false);
    return shapes;
  });
}

const same = (a: SlotShape, b: SlotShape) => a.gpa === b.gpa && a.size === b.size && a.readOnly === b.readOnly;

export class MemorySlots {
  readonly #set: (slot: MemorySlot) => void;
  readonly #ranges: readonly RamRange[];
  readonly #address: number;
  /** What KVM has now, by slot number. */
  readonly #current = new Map<number, SlotShape>();

  /** `address` is where the first byte of RAM is mapped in this process. */
  constructor(set: (slot: MemorySlot) => void, ranges: readonly RamRange[], address: number) {
    this.#set = set;
    this.#ranges = ranges;
    this.#address = address;
    this.protect(new Set());
  }

  /** Makes exactly these pages read-only for the guest. */
  protect(pages: ReadonlySet<number>): void {
    const wanted = slotShapes(this.#ranges, pages);
    for (const [slot, shape] of this.#current) {
      if (wanted.some((other) => same(shape, other))) continue;
      this.#set({ slot, ...shape, size: 0, hva: this.#address + shape.offset });
      this.#current.delete(slot);
    }
    for (const shape of wanted) {
      if ([...this.#current.values()].some((other) => same(shape, other))) continue;
      let slot = 0;
      while (this.#current.has(slot)) slot++;
      this.#set({ slot, ...shape, hva: this.#address + shape.offset });
      this.#current.set(slot, shape);
    }
  }
}
