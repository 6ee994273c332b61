/** A set of sector numbers; it takes a bit a sector, for those runs of 2,048 that have any member. */
const RUN = 2048;

export class SectorSet {
  readonly #runs = new Map<number, Uint8Array>();

  has(sector: number): boolean {
    const bits = this.#runs.get(Math.floor(sector / RUN));
    const at = sector % RUN;
    return bits !== undefined && ((bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }

  /** Adds the sectors of [first, end). */
  add(first: number, end: number): void {
    for (let sector = first; sector < end; sector++) {
      const run = Math.floor(sector / RUN);
      const at = sector % RUN;
      const bits = this.#runs.get(run) ?? new Uint8Array(RUN / 8);
      bits[at >> 3] = (bits[at >> 3] ?? 0) | (1 << (at & 7));
      this.#runs.set(run, bits);
    }
  }

  /** How many sectors from `first` on, up to `end`, are alike: all members, or none. */
  alike(first: number, end: number): number {
    const member = this.has(first);
    let sector = first + 1;
    while (sector < end && this.has(sector) === member) sector++;
    return sector - first;
  }
}
