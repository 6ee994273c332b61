/** Variables of a target that it counts hits of breakpoints in, one for each. */
import type { Target } from '../target/target.ts';

/** Lower numbers are left to a gdb at the same core. */
const [FIRST, LAST] = [512, 1023];

export class HitCounters {
  private readonly taken = new Set<number>();

  constructor(private readonly target: Target) {}

  /** One that nobody counts in; undefined when there is none left. */
  take(): number | undefined {
    for (let counter = LAST; counter >= FIRST; counter--) {
      if (this.taken.has(counter)) continue;
      this.taken.add(counter);
      return counter;
    }
    return undefined;
  }

  release(counter: number | undefined): void {
    if (counter !== undefined) this.taken.delete(counter);
  }

  set(counter: number, hits: number): Promise<void> {
    return this.target.setVariable(counter, BigInt(hits));
  }

  /** Hits, a visit included that the vCPU only stepped to, having met no trap: that is counted here. */
  async visits(counter: number, stepped: boolean): Promise<number> {
    const counted = Number(await this.target.readVariable(counter));
    if (!stepped) return counted;
    await this.set(counter, counted + 1);
    return counted + 1;
  }
}
