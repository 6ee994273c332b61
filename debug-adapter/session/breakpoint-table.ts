/**
 * The user's breakpoints: what was asked for, where it landed, and what is planted in the guest. Survives a restart:
 * {@link BreakpointTable.bind} plants everything again in the new guest.
 */
import { ExpressionError, type Expressions } from '../expressions/api.ts';
import type { BreakpointPlace, SymbolIndex } from '../symbols/api.ts';
import { type Target, TargetError, type TargetStop } from '../target/target.ts';
import { placesOf } from './breakpoint-places.ts';
import { type BreakpointRequest, sameRequest } from './breakpoint-request.ts';
import type { SourcePaths } from './source-paths.ts';
import { Traps, type TrapUse } from './traps.ts';

export interface UserBreakpoint {
  readonly id: number;
  readonly request: BreakpointRequest;
  /** Where it is planted; empty when it is not. */
  places: readonly BreakpointPlace[];
  /** Why it is not planted, or where else, or who evaluates its condition. */
  message?: string;
  /** How often the guest came by and met the condition. */
  hits: number;
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
  private nextId = 1;
  /** One list for each source file, one for functions, one for instructions, one for data. */
  private readonly lists = new Map<string, UserBreakpoint[]>();
  /** What each stop was found to have hit. */
  private readonly verdicts = new WeakMap<TargetStop, readonly UserBreakpoint[]>();

  constructor(private readonly expressions: Pick<Expressions, 'compile'>) {}

  /** Plants all breakpoints in a new guest. */
  async bind(guest: BoundGuest): Promise<readonly UserBreakpoint[]> {
    this.guest = guest;
    this.traps = new Traps(guest.target);
    for (const breakpoint of this.all()) await this.place(breakpoint);
    return this.all();
  }

  /** Counts hits from zero again, for a guest that starts from its entry. */
  forgetHits(): void {
    for (const breakpoint of this.all()) breakpoint.hits = 0;
  }

  unbind(): void {
    this.guest = undefined;
    this.traps = undefined;
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
    for (const breakpoint of old) if (!kept.has(breakpoint)) await this.displace(breakpoint);
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
    if (message !== undefined) breakpoint.message = message;
    const done: BreakpointPlace[] = [];
    const uses: TrapUse[] = [];
    try {
      for (const place of places) {
        if (request.kind === 'data') await traps.watch(request.access, request.address, request.length);
        else {
          const use = await this.useFor(breakpoint, place.address, guest);
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

  /** Lets the target evaluate the condition, or says why it does not. */
  private async useFor(breakpoint: UserBreakpoint, pc: bigint, { target, symbols }: BoundGuest): Promise<TrapUse> {
    const { condition, mode } = breakpoint.request;
    const use: TrapUse = mode === undefined ? {} : { mode };
    if (condition === undefined) return use;
    if (!target.can.conditions) {
      breakpoint.message = `The condition is evaluated by the debug adapter at each hit: ${target.name} evaluates none.`;
      return use;
    }
    try {
      const compiled = await this.expressions.compile(condition, { symbols, pc, registers: target.registers });
      return { ...use, condition: compiled };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      breakpoint.message = `The condition is evaluated by the debug adapter at each hit: ${error.message.replace(/\.?$/, '.')}`;
      return use;
    }
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
