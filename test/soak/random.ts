/** Chance that comes again by its seed. */
import { randomFrom } from '../../debug-adapter/symbols/fixtures/damage.ts';

export class Chance {
  /** A whole number from 0 to a limit, that left out. */
  readonly below: (limit: number) => number;

  constructor(seed: number) {
    this.below = randomFrom(seed);
  }

  /** One of them. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Some of them, perhaps none. */
  some<Item>(items: readonly Item[], most: number): Item[] {
    const picked = Array.from({ length: this.below(most + 1) }, () => this.pick(items));
    return [...new Set(picked)];
  }
}
