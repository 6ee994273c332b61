/** Where things go in guest RAM: checks what the kernel claims, finds room for what the loader adds. */
import { type AddressRange, BootError } from './boot-image.ts';
import { higher, lower, showRange, subtract } from './ranges.ts';

export interface NamedRange extends AddressRange {
  readonly name: string;
}

const PAGE = 4096n;
/** Conventional memory ends here on a PC; above come the EBDA, the VGA window and ROM. */
export const LOW_MEMORY_END = 0x9f000n;
const ONE_MIB = 0x100000n;
const FOUR_GIB = 0x1_0000_0000n;

/** Guest RAM with the places that are taken. */
export class Placement {
  readonly #taken: NamedRange[] = [];

  constructor(
    readonly ram: readonly AddressRange[],
    private readonly kernel: string,
  ) {}

  get taken(): readonly NamedRange[] {
    return this.#taken;
  }

  /** Takes what the kernel file says it must have. Throws {@link BootError} where that is outside RAM or taken. */
  claim(range: NamedRange): void {
    const where = `${this.kernel}: ${range.name} at ${showRange(range)}`;
    if (!this.ram.some((ram) => range.start >= ram.start && range.end <= ram.end)) {
      throw new BootError(
        `${where} is outside guest memory (${this.ram.map(showRange).join(', ')}).`,
        'Give the guest more memory or link the kernel at a lower physical address.',
      );
    }
    const other = this.#taken.find((taken) => range.start < taken.end && taken.start < range.end);
    if (other) {
      throw new BootError(
        `${where} overlaps ${other.name} at ${showRange(other)}.`,
        'Give each segment its own physical address (AT(...) in the linker script).',
      );
    }
    this.#taken.push(range);
  }

  /**
   * Takes `size` bytes (whole pages) for the loader: as high as possible in conventional memory, where kernels do not
   * expect their own things, else above 1 MiB.
   */
  allocateLow(size: bigint, name: string): bigint {
    return this.#allocate(size, name, PAGE, LOW_MEMORY_END) ?? this.#allocateOrThrow(size, name, ONE_MIB, FOUR_GIB);
  }

  /** Takes `size` bytes (whole pages) as high as possible below `limit`, which is at most 4 GiB. */
  allocateHigh(size: bigint, name: string, limit: bigint = FOUR_GIB): bigint {
    return this.#allocateOrThrow(size, name, ONE_MIB, limit);
  }

  /** As {@link allocateHigh}; undefined when there is no room. */
  tryAllocate(size: bigint, name: string, limit: bigint): bigint | undefined {
    return this.#allocate(size, name, ONE_MIB, limit);
  }

  #allocateOrThrow(size: bigint, name: string, low: bigint, high: bigint): bigint {
    const start = this.#allocate(size, name, low, high);
    if (start !== undefined) return start;
    throw new BootError(
      `No room in guest memory for ${name} (${size} bytes) beside ${this.kernel}.`,
      'Give the guest more memory.',
    );
  }

  #allocate(size: bigint, name: string, low: bigint, high: bigint): bigint | undefined {
    const length = (size + PAGE - 1n) & -PAGE;
    for (const free of subtract(this.ram, this.#taken).toReversed()) {
      const floor = higher(free.start, low);
      const start = (lower(free.end, high) - length) & -PAGE;
      if (start < floor) continue;
      this.#taken.push({ start, end: start + length, name });
      return start;
    }
    return undefined;
  }
}
