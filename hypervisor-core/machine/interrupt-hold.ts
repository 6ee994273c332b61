/**
 * Lets a guest go on whose stack lies on a page that is watched for writes. Each interrupt costs far more there than on
 * other stacks (see `undelivered`), often more than passes between two ticks of a timer: after one of them, the next
 * ones are held off until the guest has run for a while.
 */

/** Times that the vCPU must be seen ready for interrupts; the first may come right after the handler's end. */
const ENOUGH = 2;

export class InterruptHold {
  #missing = 0;

  /** An interrupt is about to be delivered at great cost. */
  begin(): void {
    this.#missing = ENOUGH;
  }

  /** To be called each time that the vCPU is looked at, with whether it would take an interrupt now. */
  look(enabled: boolean): void {
    if (enabled && this.#missing > 0) this.#missing--;
  }

  /** True while the vCPU is to be spared interrupts. */
  get active(): boolean {
    return this.#missing > 0;
  }
}
