/** Numbers that a client may come back with: frame ids and variable references, valid until the guest moves. */
export class Handles<Meaning> {
  private readonly meanings = new Map<number, Meaning>();
  /** Numbers are not used twice, so that one from an earlier stop is never taken for a new one. */
  private next = 1;

  add(meaning: Meaning): number {
    this.meanings.set(this.next, meaning);
    return this.next++;
  }

  get(handle: unknown): Meaning | undefined {
    return typeof handle === 'number' ? this.meanings.get(handle) : undefined;
  }

  clear(): void {
    this.meanings.clear();
  }
}
