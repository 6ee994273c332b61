/**
 * What the guest is to be stopped on besides breakpoints, in the lines of `monitor stop-on`. Each who asks has a list of
 * their own, and the target is told of all together.
 */
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import { type Target, TargetError } from '../target/target.ts';

export class StopRequests {
  private readonly lists = new Map<string, readonly string[]>();
  /** What each guest was last told; the core keeps that when a guest is restarted. */
  private readonly told = new WeakMap<Target, string>();

  /** Whether {@link replace} has anything to tell the target, for which the guest must stand still. */
  isNewsTo(target: Target, asker: string, lines: readonly string[]): boolean {
    return this.with(asker, lines).join('\n') !== (this.told.get(target) ?? '');
  }

  /** Replaces one list; throws `TargetError` or the core's own error, and changes nothing, where the target cannot. */
  async replace(target: Target, asker: string, lines: readonly string[]): Promise<void> {
    if (!this.isNewsTo(target, asker, lines)) return;
    if (!target.inspect) {
      throw new TargetError(`${target.name} stops on breakpoints alone.`);
    }
    const stops = this.with(asker, lines);
    await target.inspect.sendRequest(inspect.stopOn, { stops });
    this.lists.set(asker, lines);
    this.told.set(target, stops.join('\n'));
  }

  /** Nobody is told of this list any more, as after a new guest was booted for who asked. */
  forget(asker: string): void {
    this.lists.delete(asker);
  }

  private with(asker: string, lines: readonly string[]): readonly string[] {
    return [...new Map(this.lists).set(asker, lines).values()].flat();
  }
}
