/** Interrupt lines of the chips in the kernel, with their levels kept in shared memory so that no change costs no call. */
import { lineRoute } from '../interrupts/line-route.ts';
import { KVM } from '../kvm/abi.ts';
import { getIrqchip, setIrqLine } from '../kvm/vm.ts';
import type { GuestClock } from './guest-clock.ts';
import type { InterruptLog } from './interrupt-log.ts';

/** Inputs of the I/O APIC. */
const LINES = 24;

/** Bytes of the levels. */
export const IRQ_LINES_BYTES = LINES * 4;

interface IrqLineParts {
  readonly vmFd: number;
  readonly log: InterruptLog;
  readonly clock: GuestClock;
}

export class IrqLines {
  readonly #levels: Int32Array;
  readonly #parts: IrqLineParts;

  constructor(memory: SharedArrayBuffer, offset: number, parts: IrqLineParts) {
    this.#levels = new Int32Array(memory, offset, LINES);
    this.#parts = parts;
  }

  /** The levels, one a line. */
  save(): number[] {
    return [...this.#levels];
  }

  /** Takes levels that the chips have already. */
  load(levels: readonly number[]): void {
    this.#levels.set(levels.slice(0, LINES));
  }

  /** `device`: the place of the one that drives the line, for the log. */
  set(line: number, level: boolean, device: number): void {
    const value = level ? 1 : 0;
    if (Atomics.exchange(this.#levels, line, value) === value) return;
    const { vmFd, log, clock } = this.#parts;
    if (!level) {
      setIrqLine(vmFd, line, false);
      return;
    }
    const route = lineRoute(line, {
      pic: (name) => getIrqchip(vmFd, name === 'master' ? KVM.IRQCHIP_PIC_MASTER : KVM.IRQCHIP_PIC_SLAVE),
      ioapic: () => getIrqchip(vmFd, KVM.IRQCHIP_IOAPIC),
    });
    const open = route.pin !== undefined || route.picVector !== undefined;
    const outcome = setIrqLine(vmFd, line, true) ?? 1;
    log.line(clock.now(), device, line, route, open ? outcome : -1);
  }
}
