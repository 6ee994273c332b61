/** How fast something is counted, from looks at the count now and then. */

/** Milliseconds that a rate is of. */
const SPAN = 2000;

interface Look {
  readonly time: number;
  readonly count: number;
}

export class Rate {
  #looks: Look[] = [];

  /** Of what was 0 at time 0: one look then is enough for a rate. */
  static fromZero(): Rate {
    const rate = new Rate();
    rate.at(0, 0);
    return rate;
  }

  /** `time` in milliseconds. */
  at(time: number, count: number): void {
    this.#looks.push({ time, count });
    while (this.#looks.length > 2 && time - (this.#looks[1] as Look).time > SPAN) this.#looks.shift();
  }

  /** 0 until there have been two looks. */
  get perSecond(): number {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)];
    if (!first || !last || last.time <= first.time) return 0;
    return ((last.count - first.count) * 1000) / (last.time - first.time);
  }
}
