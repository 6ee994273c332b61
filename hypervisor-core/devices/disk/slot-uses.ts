/** Numbered places in a file, each free or used by one or more owners. The lowest number is 1. */
export class SlotUses {
  #uses = new Uint32Array(1 << 10);
  #next = 1;
  readonly #free: number[] = [];

  /** Places that are used. */
  get size(): number {
    return this.#next - 1 - this.#free.length;
  }

  /** A place for one owner; places taken one after the other are mostly neighbours. */
  allocate(): number {
    const slot = this.#free.pop() ?? this.#next++;
    if (slot >= this.#uses.length) {
      const larger = new Uint32Array(this.#uses.length * 2);
      larger.set(this.#uses);
      this.#uses = larger;
    }
    this.#uses[slot] = 1;
    return slot;
  }

  /** Whether there is more than one owner. */
  shared(slot: number): boolean {
    return (this.#uses[slot] ?? 0) > 1;
  }

  /** One owner more. */
  share(slot: number): void {
    this.#uses[slot] = (this.#uses[slot] ?? 0) + 1;
  }

  /** One owner less; true when that was the last. */
  release(slot: number): boolean {
    const uses = (this.#uses[slot] ?? 0) - 1;
    this.#uses[slot] = uses;
    if (uses > 0) return false;
    this.#free.push(slot);
    return true;
  }
}
