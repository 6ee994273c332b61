/**
 * Traps that stand at the guest's own handlers of interrupts and exceptions, beside the breakpoints that were asked for:
 * where user code's traps end up (user-gate.ts), where frames that KVM may not write end up (lost-event.ts), at exceptions
 * that the guest is to be stopped on, and where a vCPU comes out that was let go in order to be interrupted.
 */
import type { StopOn } from '../protocol/stop-on.ts';
import { DOUBLE_FAULT } from './lost-event.ts';
import type { DebugStrategy } from './strategy.ts';

/** One vCPU is to take an interrupt or exception, in whatever page its stack is. */
export interface Delivery {
  /** Vectors that it may be, by the address of the guest's handler, as far as handlers are known. */
  readonly handlers: ReadonlyMap<bigint, number>;
  /** It is stepped: it has RFLAGS.TF. */
  readonly stepped: boolean;
  /** An interrupt controller sends it. */
  readonly interrupt: boolean;
}

/** Guest-physical places of traps that are to be planted, by their virtual address. */
export type Planting = Map<bigint, readonly number[]>;

/** What is about to run. */
export interface Circumstances {
  /** Nothing traps there. */
  readonly skip: bigint | undefined;
  readonly stepping: boolean;
  /** Pages are held from the guest, because something on them is watched. */
  readonly holdsPages: boolean;
  readonly delivery: Delivery | undefined;
}

export interface HandlerTrapParts {
  readonly strategy: DebugStrategy;
  readonly locate: (gva: bigint) => number | undefined;
  /** Linear address of the guest's handler of an exception. */
  readonly handlerOf: (vector: number) => bigint | undefined;
  /** What the guest is to be stopped on. */
  readonly stops: () => readonly StopOn[];
}

export class HandlerTraps {
  readonly #parts: HandlerTrapParts;
  #userGate: bigint | undefined;
  #stackGate: bigint | undefined;
  #exceptions: ReadonlyMap<bigint, readonly number[]> = new Map();
  #delivery: Delivery | undefined;

  constructor(parts: HandlerTrapParts) {
    this.#parts = parts;
  }

  /** Adds what is needed to `planting`, and returns whether it has to be placed anew when the guest loads another IDT. */
  place(planting: Planting, { skip, stepping, holdsPages, delivery }: Circumstances): boolean {
    const { strategy } = this.#parts;
    const needsUserGate = () =>
      strategy.userVector !== undefined && (planting.size > 0 || (stepping && !strategy.userSteps));
    this.#userGate = needsUserGate() ? this.#placeUserGate(planting, skip) : undefined;
    const needsStackGate = holdsPages && strategy.emulatedSupervisor;
    this.#stackGate = needsStackGate ? this.#placeStackGate(planting, skip) : undefined;
    this.#exceptions = this.#placeExceptions(planting, skip);
    this.#delivery = delivery;
    for (const handler of delivery?.handlers.keys() ?? []) this.#plantAt(planting, handler);
    return needsUserGate() || needsStackGate || this.#parts.stops().some(({ kind }) => kind === 'exception');
  }

  /** True at the guest's handler that user code's traps and steps end up in. */
  isUserGate(pc: bigint): boolean {
    return this.#userGate === pc;
  }

  /** True at the guest's handler of double faults, where frames that KVM may not write end up. */
  isStackGate(pc: bigint): boolean {
    return this.#stackGate === pc;
  }

  /** Vectors whose handler is at `pc`, and whose exceptions the guest is to be stopped on. */
  exceptionsAt(pc: bigint): readonly number[] {
    return this.#exceptions.get(pc) ?? [];
  }

  /** What a vCPU was let go for, when its handler is at `pc`. */
  landing(pc: bigint): { readonly vector: number; readonly stepped: boolean } | undefined {
    const vector = this.#delivery?.handlers.get(pc);
    return vector === undefined ? undefined : { vector, stepped: this.#delivery?.stepped ?? false };
  }

  #placeUserGate(planting: Planting, skip: bigint | undefined): bigint | undefined {
    const { userVector } = this.#parts.strategy;
    const handler = userVector === undefined ? undefined : this.#parts.handlerOf(userVector);
    if (handler === undefined || handler === skip || planting.has(handler)) return undefined;
    return this.#plantAt(planting, handler) ? handler : undefined;
  }

  #placeStackGate(planting: Planting, skip: bigint | undefined): bigint | undefined {
    const handler = this.#parts.handlerOf(DOUBLE_FAULT);
    return this.#plantAt(planting, handler, skip) ? handler : undefined;
  }

  #placeExceptions(planting: Planting, skip: bigint | undefined): Map<bigint, readonly number[]> {
    const vectors = new Map<bigint, readonly number[]>();
    for (const stop of this.#parts.stops()) {
      if (stop.kind !== 'exception') continue;
      const handler = this.#parts.handlerOf(stop.vector);
      if (handler === undefined || !this.#plantAt(planting, handler, skip)) continue;
      vectors.set(handler, [...(vectors.get(handler) ?? []), stop.vector]);
    }
    return vectors;
  }

  /** Adds a trap at a handler, unless it is `skip`; false where none can be. */
  #plantAt(planting: Planting, handler: bigint | undefined, skip?: bigint): boolean {
    const gpa = handler === undefined ? undefined : this.#parts.locate(handler);
    if (handler === undefined || gpa === undefined) return false;
    if (handler !== skip && !planting.has(handler)) planting.set(handler, [gpa]);
    return true;
  }
}
