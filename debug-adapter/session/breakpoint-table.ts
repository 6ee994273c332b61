/**
 * The user's breakpoints: what was asked for, where it landed, and what is planted in the guest. Survives a restart:
 * {@link BreakpointTable.bind} plants everything again in the new guest.
 */
import type { Expressions } from '../expressions/api.ts';
import type { BreakpointPlace, SymbolIndex } from '../symbols/api.ts';
import { type Target, TargetError, type TargetStop } from '../target/target.ts';
import { placesOf } from './breakpoint-places.ts';
import { type BreakpointRequest, sameRequest } from './breakpoint-request.ts';
import { HitCounters } from './hit-counters.ts';
import { type Orders, ordersFor } from './orders.ts';
import type { SourcePaths } from './source-paths.ts';
import { Traps, type TrapUse } from './traps.ts';

export interface UserBreakpoint {
  readonly id: number;
  readonly request: BreakpointRequest;
  /** Where it is planted; empty when it is not. */
  places: readonly BreakpointPlace[];
  /** Why it is not planted, or where else, or what the adapter evaluates of it. */
  message?: string;
  /** How often the guest came by and met the condition, as far as the adapter has looked. */
  hits: number;
  /** The variable that the target counts the hits in. */
  counter?: number;
  /** The traps at its places, in their order. */
  uses: readonly TrapUse[];
  /** It has places, but the target could not plant it there yet. */
  refused: boolean;
}

/** What breakpoints are resolved and planted in. */
export interface BoundGuest {
  readonly target: Target;
  readonly symbols: SymbolIndex | undefined;
  readonly sources: SourcePaths;
}

export class BreakpointTable {
  private guest: BoundGuest | undefined;
  private traps: Traps | undefined;
  private counters: HitCounters | undefined;
  private nextId = 1;
  /** One list for each source file, one for functions, one for instructions, one for data. */
  private readonly lists = new Map<string, UserBreakpoint[]>();
  /** What each stop was found to have hit. */
  private readonly verdicts = new WeakMap<TargetStop, readonly UserBreakpoint[]>();

  constructor(private readonly expressions: Pick<Expressions, 'compile' | 'compileMessage' | 'splitFormat'>) {}

  /** Plants all breakpoints in a new guest. */
  async bind(guest: BoundGuest): Promise<readonly UserBreakpoint[]> {
    this.guest = guest;
    this.traps = new Traps(guest.target);
    this.counters = new HitCounters(guest.target);
    for (const breakpoint of this.all()) delete breakpoint.counter;
    for (const breakpoint of this.all()) await this.place(breakpoint);
    return this.all();
  }

  /** Counts hits from zero again, for a guest that starts from its entry. */
  async forgetHits(): Promise<void> {
    for (const breakpoint of this.all()) {
      breakpoint.hits = 0;
      if (breakpoint.counter !== undefined) await this.counters?.set(breakpoint.counter, 0);
    }
  }

  /** How often the guest has met a breakpoint, the visit that it stopped at included. */
  async visit(breakpoint: UserBreakpoint, { reason }: TargetStop): Promise<number> {
    const { counter, hits } = breakpoint;
    const counted = counter === undefined ? undefined : this.counters?.visits(counter, reason.kind !== 'breakpoint');
    breakpoint.hits = (await counted) ?? hits + 1;
    return breakpoint.hits;
  }

  /** The one with this number, which messages that the target prints begin with. */
  withId(id: number): UserBreakpoint | undefined {
    return this.all().find((breakpoint) => breakpoint.id === id);
  }

  unbind(): void {
    this.guest = undefined;
    this.traps = undefined;
    this.counters = undefined;
  }

  /** Replaces one list, e.g. all breakpoints of a source file. The guest must stand still. */
  async replace(list: string, requests: readonly BreakpointRequest[]): Promise<readonly UserBreakpoint[]> {
    const old = this.lists.get(list) ?? [];
    const kept = new Set<UserBreakpoint>();
    const next: UserBreakpoint[] = [];
    for (const request of requests) {
      const same = old.find((candidate) => !kept.has(candidate) && sameRequest(candidate.request, request));
      if (same) kept.add(same);
      const breakpoint = same ?? { id: this.nextId++, request, places: [], hits: 0, uses: [], refused: false };
      if (breakpoint.places.length === 0) await this.place(breakpoint);
      next.push(breakpoint);
    }
    for (const breakpoint of old) {
      if (kept.has(breakpoint)) continue;
      await this.displace(breakpoint);
      this.counters?.release(breakpoint.counter);
    }
    this.lists.set(list, next);
    return next;
  }

  /** Whether {@link replace} would change anything, so that a running guest need not be interrupted for nothing. */
  wouldChange(list: string, requests: readonly BreakpointRequest[]): boolean {
    const old = this.lists.get(list) ?? [];
    return old.length !== requests.length || requests.some((request, n) => !sameRequest(old[n]?.request, request));
  }

  /** Those whose places are others now, because symbols have come or moved. */
  async outdated(): Promise<readonly UserBreakpoint[]> {
    const { guest } = this;
    if (!guest) return [];
    const addresses = (places: readonly BreakpointPlace[]) => places.map(({ address }) => address).join();
    const found: UserBreakpoint[] = [];
    for (const breakpoint of this.all()) {
      const { places } = await placesOf(breakpoint.request, guest);
      if (!breakpoint.refused && addresses(places) !== addresses(breakpoint.places)) found.push(breakpoint);
    }
    return found;
  }

  /** Plants the {@link BreakpointTable.outdated} anew and gives them. The guest must stand still. */
  async follow(): Promise<readonly UserBreakpoint[]> {
    const outdated = await this.outdated();
    for (const breakpoint of outdated) {
      await this.displace(breakpoint);
      await this.place(breakpoint);
    }
    return outdated;
  }

  /**
   * Tries those again that the target refused, e.g. on pages that were not mapped yet. Gives those that are planted now.
   * The guest must stand still.
   */
  async retry(): Promise<readonly UserBreakpoint[]> {
    const waiting = this.all().filter(({ places, refused }) => places.length === 0 && refused);
    for (const breakpoint of waiting) await this.place(breakpoint);
    return waiting.filter(({ places }) => places.length > 0);
  }

  list(name: string): readonly UserBreakpoint[] {
    return this.lists.get(name) ?? [];
  }

  /** Breakpoints that a vCPU meets at this place. */
  at(address: bigint): readonly UserBreakpoint[] {
    return this.all().filter(
      ({ places, request }) => request.kind !== 'data' && places.some((place) => place.address === address),
    );
  }

  /** Data breakpoints that an access at this address is for. */
  over(address: bigint): readonly UserBreakpoint[] {
    return this.all().filter(({ places, request }) => {
      const inside = request.kind === 'data' && address - request.address;
      return places.length > 0 && inside !== false && inside >= 0n && inside < request.length;
    });
  }

  /** What a stop was found to have hit. */
  hitBy(stop: TargetStop): readonly UserBreakpoint[] {
    return this.verdicts.get(stop) ?? [];
  }

  record(stop: TargetStop, hit: readonly UserBreakpoint[]): void {
    this.verdicts.set(stop, hit);
  }

  /** Plants a trap that is not the user's: software where it can be, else a debug register. */
  async plant(address: bigint): Promise<TrapUse> {
    const use: TrapUse = { forStep: true };
    await this.traps?.plant(address, use);
    return use;
  }

  async unplant(address: bigint, use: TrapUse): Promise<void> {
    await this.traps?.unplant(address, use);
  }

  /** Whether a step waits for this address. */
  isForStep(address: bigint): boolean {
    return this.traps?.isForStep(address) ?? false;
  }

  private all(): readonly UserBreakpoint[] {
    return [...this.lists.values()].flat();
  }

  private async place(breakpoint: UserBreakpoint): Promise<void> {
    breakpoint.places = [];
    breakpoint.uses = [];
    breakpoint.refused = false;
    delete breakpoint.message;
    const { guest, traps } = this;
    if (!guest || !traps) {
      breakpoint.message = 'The guest is not loaded yet.';
      return;
    }
    const { request } = breakpoint;
    const { places, message } = await placesOf(request, guest);
    const orders = await this.order(breakpoint, places, guest);
    const said = orders.message ?? message;
    if (said !== undefined) breakpoint.message = said;
    const done: BreakpointPlace[] = [];
    const uses: TrapUse[] = [];
    try {
      for (const [n, place] of places.entries()) {
        const use = orders.uses[n] ?? {};
        if (request.kind === 'data') await traps.watch(request.access, request.address, request.length);
        else {
          await traps.plant(place.address, use);
          uses.push(use);
        }
        done.push(place);
      }
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      breakpoint.message = error.message;
      breakpoint.refused = true;
    }
    breakpoint.places = done;
    breakpoint.uses = uses;
  }

  /** Orders for the target, which goes on from what has been counted where it is to count. */
  private async order(
    breakpoint: UserBreakpoint,
    places: readonly BreakpointPlace[],
    guest: BoundGuest,
  ): Promise<Orders> {
    const { id, request, hits } = breakpoint;
    const counter = breakpoint.counter ?? (request.hits && this.counters?.take());
    const orders = await ordersFor({ id, request, counter }, places, guest, this.expressions);
    const counts = orders.uses.some((use) => use.counts);
    if (counts && counter !== undefined) {
      if (breakpoint.counter === undefined) await this.counters?.set(counter, hits);
      breakpoint.counter = counter;
    } else {
      this.counters?.release(counter);
      delete breakpoint.counter;
    }
    return orders;
  }

  private async displace(breakpoint: UserBreakpoint): Promise<void> {
    const { places, uses, request } = breakpoint;
    breakpoint.places = [];
    for (const [n, { address }] of places.entries()) {
      const use = uses[n];
      if (request.kind === 'data') await this.traps?.unwatch(request.access, request.address, request.length);
      else if (use) await this.traps?.unplant(address, use);
    }
  }
}
