/** Interrupt lines of the chips in the kernel, with their levels kept in shared memory so that no change costs no call. */
import { setIrqLine } from '../kvm/vm.ts';

/** Inputs of the I/O APIC. */
const LINES = 24;

/** Bytes of the levels. */
export const IRQ_LINES_BYTES = LINES * 4;

export class IrqLines {
  readonly #levels: Int32Array;
  readonly #vmFd: number;

  constructor(memory: SharedArrayBuffer, offset: number, vmFd: number) {
    this.#levels = new Int32Array(memory, offset, LINES);
    this.#vmFd = vmFd;
  }

  /** The levels, one a line. */
  save(): number[] {
    return [...this.#levels];
  }

  /** Takes levels that the chips have already. */
  load(levels: readonly number[]): void {
    this.#levels.set(levels.slice(0, LINES));
  }

  set(line: number, level: boolean): void {
    const value = level ? 1 : 0;
    if (Atomics.exchange(this.#levels, line, value) !== value) setIrqLine(this.#vmFd, line, level);
  }
}
