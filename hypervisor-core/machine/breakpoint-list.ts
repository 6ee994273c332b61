/** The break- and watchpoints that were asked for, each perhaps by several, of whom each may want less than every stop. */
import type { BreakpointOptions } from '../protocol/agent/breakpoint-options.ts';
import type { BreakpointKind } from './api.ts';

/** What somebody wants of a breakpoint. */
export interface Claim extends BreakpointOptions {
  /**
   * Never to stop: a call to a hypervisor in the guest begins here, or has returned here, or the instruction here is a call to
   * KVM; it is traced.
   */
  readonly records?: CallPlace;
}

export type CallPlace = 'call' | 'return' | 'instruction';

/** One place, and what everyone who asked for it wants of it. */
export interface BreakpointEntry {
  readonly kind: BreakpointKind;
  readonly gva: bigint;
  readonly length: number;
  readonly claims: readonly Claim[];
}

const always: Claim = { conditions: [], commands: [] };

const isUnconditional = ({ conditions, commands, cr3, records }: Claim) =>
  conditions.length === 0 && commands.length === 0 && cr3 === undefined && records === undefined;

export class BreakpointList {
  readonly #entries = new Map<string, BreakpointEntry>();

  /** Every claim counts, so that each has to be removed. */
  insert(kind: BreakpointKind, gva: bigint, length: number, claim: Claim = always): void {
    const key = keyOf(kind, gva, length);
    const claims = [...(this.#entries.get(key)?.claims ?? []), claim];
    this.#entries.set(key, { kind, gva, length, claims });
  }

  remove(kind: BreakpointKind, gva: bigint, length: number, claim: Claim = always): void {
    const key = keyOf(kind, gva, length);
    const entry = this.#entries.get(key);
    const position = entry?.claims.indexOf(claim) ?? -1;
    if (!entry || position < 0) return;
    const claims = entry.claims.toSpliced(position, 1);
    if (claims.length === 0) this.#entries.delete(key);
    else this.#entries.set(key, { ...entry, claims });
  }

  has(kind: BreakpointKind, gva: bigint, length: number): boolean {
    return this.#entries.has(keyOf(kind, gva, length));
  }

  get all(): readonly BreakpointEntry[] {
    return [...this.#entries.values()];
  }

  /** Execution breakpoints at `pc`. */
  at(pc: bigint): readonly BreakpointEntry[] {
    return this.all.filter(({ kind, gva }) => executes(kind) && gva === pc);
  }

  /** Claims at each address where somebody wants something else than every stop. */
  conditional(): Map<bigint, readonly Claim[]> {
    const addresses = new Set(this.all.filter(({ kind }) => executes(kind)).map(({ gva }) => gva));
    const claims = [...addresses].map((gva) => [gva, this.at(gva).flatMap((entry) => entry.claims)] as const);
    return new Map(claims.filter(([, list]) => !list.every(isUnconditional)));
  }
}

const keyOf = (kind: BreakpointKind, gva: bigint, length: number) => `${kind} ${gva} ${executes(kind) ? 0 : length}`;

export const executes = (kind: BreakpointKind): boolean => kind === 'software' || kind === 'hardware';

/** Nobody wants anything at this place but the call that its instruction makes. */
export const isOfCallAlone = ({ claims }: BreakpointEntry): boolean =>
  claims.every(({ records }) => records === 'instruction');
