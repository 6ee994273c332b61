/**
 * Calls that are traced while somebody looks at them, or waits for one: those to a hypervisor in the guest, which its symbols tell
 * of, and those that KVM answers itself.
 */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import type { SymbolIndex } from '../symbols/api.ts';
import type { Target } from '../target/target.ts';
import type { BreakpointRequest } from './breakpoint-request.ts';
import { targetRefused } from './errors.ts';
import type { Guest } from './guest.ts';

/** The function by which Xen takes the calls of its paravirtual domains, and one by which it is known. */
const XEN = { takes: 'pv_hypercall', has: 'do_console_io' };

/** Where the guest is stopped without the user seeing it: there is new code. */
const CODE_TRAPS: readonly BreakpointRequest[] = [{ kind: 'code' }];

export class GuestCalls {
  private wanted = false;
  private needed = false;
  /** What each guest was last told; the core keeps that when a guest is restarted. */
  private readonly told = new WeakMap<Target, boolean>();
  /** Guests in whose code calls to KVM are looked for. */
  private readonly searched = new WeakSet<Target>();

  /** `trap` has the session stop, unseen, there and nowhere else of its own for this. */
  constructor(private readonly trap: (traps: readonly BreakpointRequest[]) => Promise<unknown>) {}

  /** Somebody looks, or does no more. True where there are such calls. Rejects where the target cannot. */
  want(guest: Guest, on: boolean): Promise<boolean> {
    this.wanted = on;
    return this.apply(guest);
  }

  /** What the guest is to be stopped on, in the lines of `monitor stop-on`: for some of it calls have to be traced. */
  async needFor(guest: Guest, stops: readonly string[]): Promise<void> {
    this.needed = stops.some((line) => line.startsWith('hypercall'));
    await this.apply(guest).catch((error: Error) => {
      throw targetRefused(error.message);
    });
  }

  /** Nobody has asked yet, as after a new guest was booted. */
  forget(): void {
    this.wanted = false;
    this.needed = false;
  }

  /** The guest, which stands still, has new code: calls in it are traced as the others are. */
  async codeCame({ target }: Guest): Promise<void> {
    if (this.searched.has(target)) await target.inspect?.sendRequest(inspect.recordInstructions, { on: true });
  }

  private async apply(guest: Guest): Promise<boolean> {
    const on = this.wanted || this.needed;
    const [inside, byKvm] = [await this.applyInside(guest, on), await this.applyToKvm(guest, on)];
    return inside || byKvm;
  }

  private async applyInside({ target, symbols }: Guest, on: boolean): Promise<boolean> {
    const places = placesIn(symbols);
    if (!target.inspect || places.length === 0) return false;
    if (on === (this.told.get(target) ?? false)) return true;
    const at = on ? places.map(hex) : [];
    await target.inspect.sendRequest(inspect.recordCalls, { convention: 'xen-pv', at });
    this.told.set(target, on);
    return true;
  }

  private async applyToKvm({ target, runner }: Guest, on: boolean): Promise<boolean> {
    const core = target.inspect;
    if (!core) return false;
    if (on === this.searched.has(target)) return on;
    const info = await core.sendRequest(inspect.info).catch(() => undefined);
    if (info?.personality !== 'kvm') return false;
    await runner.whileStopped(async () => {
      await this.trap(on ? CODE_TRAPS : []);
      await core.sendRequest(inspect.recordInstructions, { on });
    });
    if (on) this.searched.add(target);
    else this.searched.delete(target);
    return true;
  }
}

function placesIn(symbols: SymbolIndex | undefined): bigint[] {
  const addresses = (name: string) => symbols?.symbolsNamed(name).map(({ address }) => address) ?? [];
  return addresses(XEN.has).length > 0 ? addresses(XEN.takes) : [];
}
