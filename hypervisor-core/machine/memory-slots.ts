/**
 * KVM memory slots over guest RAM. Pages under a watchpoint become slots of their own that the guest may not write: a
 * write to them leaves KVM_RUN with address, size and value. Change slots only while no vCPU runs.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KvmVm, MemorySlot } from '../kvm/vm.ts';
import type { RamRange } from './guest-ram.ts';
import type { PageSet } from './page-set.ts';

export const PAGE = 4096;

/** What of a slot is decided here; its number and host address follow. */
type SlotShape = Pick<MemorySlot, 'gpa' | 'size' | 'readOnly'> & { readonly offset: number };

/** Memory cut up so that the pages in `readOnly` (guest-physical, page-aligned) stand alone; all of ROM is read-only. */
function slotShapes(ranges: readonly RamRange[], readOnly: ReadonlySet<number>): SlotShape[] {
  return ranges.flatMap((range) => {
    const rom = range.kind === 'rom';
    const cuts = rom ? [] : [...readOnly].filter((page) => page >= range.gpa && page < range.gpa + range.size);
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
    add(range.gpa + range.size, rom);
    return shapes;
  });
}

const same = (a: SlotShape, b: SlotShape) => a.gpa === b.gpa && a.size === b.size && a.readOnly === b.readOnly;

/** What of a VM the slots need. */
export type SlotHost = Pick<KvmVm, 'setMemorySlot' | 'takeDirtyLog'>;

export class MemorySlots {
  readonly #vm: SlotHost;
  readonly #ranges: readonly RamRange[];
  readonly #address: number;
  /** What KVM has now, by slot number. */
  readonly #current = new Map<number, SlotShape>();
  #protected: ReadonlySet<number> = new Set();
  /** Where it is noted which pages the guest writes; undefined while nobody wants to know. */
  #written: PageSet | undefined;

  /** `address` is where the first byte of RAM is mapped in this process. */
  constructor(vm: SlotHost, ranges: readonly RamRange[], address: number) {
    this.#vm = vm;
    this.#ranges = ranges;
    this.#address = address;
    this.protect(new Set());
  }

  /** Makes exactly these pages read-only for the guest. */
  protect(pages: ReadonlySet<number>): void {
    if (this.#current.size > 0 && isDeepStrictEqual(pages, this.#protected)) return;
    this.#protected = pages;
    const wanted = slotShapes(this.#ranges, pages);
    for (const [slot, shape] of this.#current) {
      if (wanted.some((other) => same(shape, other))) continue;
      this.#collect(slot, shape);
      this.#set(slot, { ...shape, size: 0 });
      this.#current.delete(slot);
    }
    for (const shape of wanted) {
      if ([...this.#current.values()].some((other) => same(shape, other))) continue;
      let slot = 0;
      while (this.#current.has(slot)) slot++;
      this.#set(slot, shape);
      this.#current.set(slot, shape);
    }
  }

  /** Has it noted in `written`, at each {@link collectWritten}, which pages the guest writes; undefined ends that. */
  noteWrites(written: PageSet | undefined): void {
    if (this.#written === written) return;
    this.#written = written;
    for (const [slot, shape] of this.#current) this.#set(slot, shape);
  }

  /** Brings the note of written pages up to date. */
  collectWritten(): void {
    for (const [slot, shape] of this.#current) this.#collect(slot, shape);
  }

  #collect(slot: number, { size, offset, readOnly }: SlotShape): void {
    if (this.#written && !readOnly) this.#written.addBitmap(offset, this.#vm.takeDirtyLog(slot, size));
  }

  #set(slot: number, { gpa, size, readOnly, offset }: SlotShape): void {
    const logDirty = this.#written !== undefined && !readOnly;
    this.#vm.setMemorySlot({ slot, gpa, size, readOnly, hva: this.#address + offset, logDirty });
  }
}
