/** Calls to a hypervisor in the guest, which its symbols tell of: traced while somebody looks at them, or waits for one. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import type { SymbolIndex } from '../symbols/api.ts';
import type { Target } from '../target/target.ts';
import { targetRefused } from './errors.ts';
import type { Guest } from './guest.ts';

/** The function by which Xen takes the calls of its paravirtual domains, and one by which it is known. */
const XEN = { takes: 'pv_hypercall', has: 'do_console_io' };

export class GuestCalls {
  private wanted = false;
  private needed = false;
  /** What each guest was last told; the core keeps that when a guest is restarted. */
  private readonly told = new WeakMap<Target, boolean>();

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

  private async apply({ target, symbols }: Guest): Promise<boolean> {
    const places = placesIn(symbols);
    if (!target.inspect || places.length === 0) return false;
    const on = this.wanted || this.needed;
    if (on === (this.told.get(target) ?? false)) return true;
    const at = on ? places.map(hex) : [];
    await target.inspect.sendRequest(inspect.recordCalls, { convention: 'xen-pv', at });
    this.told.set(target, on);
    return true;
  }
}

function placesIn(symbols: SymbolIndex | undefined): bigint[] {
  const addresses = (name: string) => symbols?.symbolsNamed(name).map(({ address }) => address) ?? [];
  return addresses(XEN.has).length > 0 ? addresses(XEN.takes) : [];
}
