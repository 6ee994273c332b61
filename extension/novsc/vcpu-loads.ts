/** Where each vCPU's time has gone lately, from looks at its clock now and then. */
import type { VcpuClock, VcpuState, VcpusPart } from '../../debug-adapter/protocol/custom.ts';
import { Rate } from './rate.ts';

export interface VcpuRow extends VcpuState {
  /** Parts of the time that it ran, lately, each from 0 to 1; undefined where nobody tells. */
  readonly load?: VcpuClock;
  /** Exits a second, lately, of the time that it ran. */
  readonly rate?: number;
}

const PARTS = ['guest', 'host', 'halted', 'steal'] as const satisfies readonly (keyof VcpuClock)[];

class Load {
  readonly #rates = new Map<keyof VcpuClock | 'exits', Rate>();
  #ran = 0;

  add({ clock, exits }: VcpuState): void {
    if (!clock) return;
    const ran = PARTS.reduce((sum, part) => sum + clock[part], 0);
    // A vCPU that stands spends no time.
    if (ran <= this.#ran) return;
    this.#ran = ran;
    for (const part of PARTS) this.#rate(part).at(ran / 1000, clock[part] / 1e6);
    this.#rate('exits').at(ran / 1000, exits ?? 0);
  }

  of(part: keyof VcpuClock | 'exits'): number {
    return Math.max(0, this.#rate(part).perSecond);
  }

  #rate(part: keyof VcpuClock | 'exits'): Rate {
    const rate = this.#rates.get(part) ?? Rate.fromZero();
    this.#rates.set(part, rate);
    return rate;
  }
}

export class VcpuLoads {
  #rows: readonly VcpuRow[] = [];
  readonly #loads = new Map<number, Load>();

  add({ vcpus }: VcpusPart): void {
    this.#rows = vcpus.map((state): VcpuRow => {
      const load = this.#loads.get(state.thread) ?? new Load();
      this.#loads.set(state.thread, load);
      load.add(state);
      if (!state.clock) return state;
      const [guest = 0, host = 0, halted = 0, steal = 0] = PARTS.map((part) => load.of(part));
      return { ...state, load: { guest, host, halted, steal }, rate: load.of('exits') };
    });
  }

  get rows(): readonly VcpuRow[] {
    return this.#rows;
  }
}
