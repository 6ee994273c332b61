/**
 * What is planted in the guest. Several breakpoints, and a step that is under way, may share an address: the target is
 * told of one trap, with orders that serve them all.
 */
import { formatBreakpointOptions } from '../../hypervisor-core/protocol/agent/breakpoint-options.ts';
import { opcodes } from '../../hypervisor-core/protocol/agent/opcodes.ts';
import { type BreakpointKind, type BreakpointOrders, type Target, TargetError } from '../target/target.ts';
import type { BreakpointMode } from './breakpoint-request.ts';

/** One reason for a trap. */
export interface TrapUse {
  /** Absent where either will do. */
  readonly mode?: BreakpointMode;
  /** An agent expression for the target to evaluate. */
  readonly condition?: Uint8Array;
  /** The condition counts visits, also while others stop at each. */
  readonly counts?: boolean;
  /** An agent expression to run instead of stopping. */
  readonly command?: Uint8Array;
  /** Planted for a step, and not by the user. */
  readonly forStep?: boolean;
}

interface Trap {
  readonly uses: Set<TrapUse>;
  kind: BreakpointMode;
  /** The orders that the target was given, as in the packet. */
  orders: string;
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
      this.planted.set(address, { uses, ...(await this.insert(address, ordersOf(uses), use.mode)) });
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

  /** Plants anew where the orders are other ones now. */
  private async refresh(address: bigint, trap: Trap): Promise<void> {
    const orders = ordersOf(trap.uses);
    if (formatBreakpointOptions(orders) === trap.orders) return;
    await this.target.removeBreakpoint(trap.kind, address);
    Object.assign(trap, await this.insert(address, orders, trap.kind));
  }

  private async insert(address: bigint, orders: BreakpointOrders, mode: BreakpointMode | undefined) {
    const { target } = this;
    const told = formatBreakpointOptions(orders);
    try {
      await target.insertBreakpoint(mode ?? 'software', address, 1, orders);
      return { kind: mode ?? 'software', orders: told } as const;
    } catch (error) {
      if (mode !== undefined || !(error instanceof TargetError) || !target.can.hardwareBreakpoints) throw error;
      await target.insertBreakpoint('hardware', address, 1, orders).catch(() => {
        throw error;
      });
      return { kind: 'hardware', orders: told } as const;
    }
  }
}

const ALWAYS = Uint8Array.of(opcodes.const8.code, 1, opcodes.end.code);

/**
 * Orders that serve all uses. While somebody wants every stop there are no conditions but those that count, which do all the
 * same. A message is printed by the target only for one that is alone; else the adapter prints it, at a stop.
 */
function ordersOf(uses: ReadonlySet<TrapUse>): BreakpointOrders {
  const given = (list: readonly TrapUse[]) => list.flatMap(({ condition }) => condition ?? []);
  const all = [...uses];
  const commands = all.length === 1 ? all.flatMap(({ command }) => command ?? []) : [];
  if (commands.length > 0) return { conditions: given(all), commands };
  if (all.every(({ condition, command }) => condition && !command)) return { conditions: given(all), commands };
  const counting = given(all.filter(({ counts }) => counts));
  return { conditions: counting.length > 0 ? [...counting, ALWAYS] : [], commands };
}
