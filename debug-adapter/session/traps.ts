/**
 * What is planted in the guest. Several breakpoints, and a step that is under way, may share an address: the target is
 * told of one trap, with conditions only while everybody there has one.
 */
import { type BreakpointKind, type Target, TargetError } from '../target/target.ts';
import type { BreakpointMode } from './breakpoint-request.ts';

/** One reason for a trap. */
export interface TrapUse {
  /** Absent where either will do. */
  readonly mode?: BreakpointMode;
  /** An agent expression for the target to evaluate. */
  readonly condition?: Uint8Array;
  /** Planted for a step, and not by the user. */
  readonly forStep?: boolean;
}

interface Trap {
  readonly uses: Set<TrapUse>;
  kind: BreakpointMode;
  /** Whether the target was given the conditions of all uses. */
  conditional: boolean;
}

export class Traps {
  private readonly planted = new Map<bigint, Trap>();
  private readonly watched = new Map<string, number>();

  constructor(private readonly target: Target) {}

  /** Throws `TargetError` where the target cannot. */
  async plant(address: bigint, use: TrapUse): Promise<void> {
    const there = this.planted.get(address);
    if (!there) {
      const uses = new Set([use]);
      const { kind, conditional } = await this.insert(address, uses, use.mode);
      this.planted.set(address, { uses, kind, conditional });
      return;
    }
    there.uses.add(use);
    await this.refresh(address, there);
  }

  async unplant(address: bigint, use: TrapUse): Promise<void> {
    const there = this.planted.get(address);
    if (!there?.uses.delete(use)) return;
    if (there.uses.size > 0) return this.refresh(address, there);
    this.planted.delete(address);
    await this.target.removeBreakpoint(there.kind, address);
  }

  /** Whether a step waits for this address. */
  isForStep(address: bigint): boolean {
    return [...(this.planted.get(address)?.uses ?? [])].some(({ forStep }) => forStep);
  }

  async watch(access: BreakpointKind, address: bigint, length: number): Promise<void> {
    const key = `${access} ${address} ${length}`;
    const count = this.watched.get(key) ?? 0;
    if (count === 0) await this.target.insertBreakpoint(access, address, length);
    this.watched.set(key, count + 1);
  }

  async unwatch(access: BreakpointKind, address: bigint, length: number): Promise<void> {
    const key = `${access} ${address} ${length}`;
    const count = this.watched.get(key) ?? 0;
    if (count > 1) this.watched.set(key, count - 1);
    else if (this.watched.delete(key)) await this.target.removeBreakpoint(access, address, length);
  }

  /** Plants anew where the conditions are other ones now. */
  private async refresh(address: bigint, trap: Trap): Promise<void> {
    if (!trap.conditional && this.conditionsOf(trap.uses).length === 0) return;
    await this.target.removeBreakpoint(trap.kind, address);
    trap.conditional = (await this.insert(address, trap.uses, trap.kind)).conditional;
  }

  private async insert(address: bigint, uses: ReadonlySet<TrapUse>, mode: BreakpointMode | undefined) {
    const conditions = this.conditionsOf(uses);
    const conditional = conditions.length > 0;
    const { target } = this;
    try {
      await target.insertBreakpoint(mode ?? 'software', address, 1, conditions);
      return { kind: mode ?? 'software', conditional } as const;
    } catch (error) {
      if (mode !== undefined || !(error instanceof TargetError) || !target.can.hardwareBreakpoints) throw error;
      await target.insertBreakpoint('hardware', address, 1, conditions).catch(() => {
        throw error;
      });
      return { kind: 'hardware', conditional } as const;
    }
  }

  /** None when anybody stops unconditionally. */
  private conditionsOf(uses: ReadonlySet<TrapUse>): readonly Uint8Array[] {
    const conditions = [...uses].flatMap(({ condition }) => condition ?? []);
    return conditions.length === uses.size ? conditions : [];
  }
}
