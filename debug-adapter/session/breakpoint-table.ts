/**
 * The user's breakpoints: what was asked for, where it landed, and what is planted in the guest. Survives a restart:
 * {@link BreakpointTable.bind} plants everything again in the new guest.
 */
import type { BreakpointPlace, SymbolIndex } from '../symbols/api.ts';
import { type Target, TargetError } from '../target/target.ts';
import type { SourcePaths } from './source-paths.ts';

export type BreakpointRequest =
  | { readonly kind: 'source'; readonly path: string; readonly line: number }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'instruction'; readonly address: bigint };

export interface UserBreakpoint {
  readonly id: number;
  readonly request: BreakpointRequest;
  /** Where it is planted; empty when it is not. */
  places: readonly BreakpointPlace[];
  /** Why it is not planted, or where else. */
  message?: string;
}

/** What breakpoints are resolved and planted in. */
export interface BoundGuest {
  readonly target: Target;
  readonly symbols: SymbolIndex | undefined;
  readonly sources: SourcePaths;
}

interface Planted {
  readonly kind: 'software' | 'hardware';
  count: number;
}

export class BreakpointTable {
  private guest: BoundGuest | undefined;
  private nextId = 1;
  /** One list for each source file, one for functions, one for instructions. */
  private readonly lists = new Map<string, UserBreakpoint[]>();
  private readonly planted = new Map<bigint, Planted>();

  /** Plants all breakpoints in a new guest. */
  async bind(guest: BoundGuest): Promise<readonly UserBreakpoint[]> {
    this.guest = guest;
    this.planted.clear();
    const all = [...this.lists.values()].flat();
    for (const breakpoint of all) await this.place(breakpoint);
    return all;
  }

  unbind(): void {
    this.guest = undefined;
    this.planted.clear();
  }

  /** Replaces one list, e.g. all breakpoints of a source file. The guest must stand still. */
  async replace(list: string, requests: readonly BreakpointRequest[]): Promise<readonly UserBreakpoint[]> {
    const old = this.lists.get(list) ?? [];
    const kept = new Set<UserBreakpoint>();
    const next: UserBreakpoint[] = [];
    for (const request of requests) {
      const same = old.find((candidate) => !kept.has(candidate) && sameRequest(candidate.request, request));
      const breakpoint = same ?? { id: this.nextId++, request, places: [] };
      if (same) kept.add(same);
      if (!same || same.places.length === 0) await this.place(breakpoint);
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

  list(name: string): readonly UserBreakpoint[] {
    return this.lists.get(name) ?? [];
  }

  /** Breakpoints that a stop at `address` has hit. */
  at(address: bigint): readonly UserBreakpoint[] {
    return [...this.lists.values()].flat().filter(({ places }) => places.some((place) => place.address === address));
  }

  /** Plants a trap that is not the user's: software where it can be, else a debug register. */
  async plant(address: bigint): Promise<void> {
    const target = this.guest?.target;
    const there = this.planted.get(address);
    if (there) there.count++;
    if (there || !target) return;
    this.planted.set(address, { kind: await plantSomehow(target, address), count: 1 });
  }

  async unplant(address: bigint): Promise<void> {
    const there = this.planted.get(address);
    if (!there || --there.count > 0) return;
    this.planted.delete(address);
    await this.guest?.target.removeBreakpoint(there.kind, address);
  }

  private async place(breakpoint: UserBreakpoint): Promise<void> {
    breakpoint.places = [];
    delete breakpoint.message;
    if (!this.guest) {
      breakpoint.message = 'The guest is not loaded yet.';
      return;
    }
    const { places, message } = resolve(breakpoint.request, this.guest);
    const done: BreakpointPlace[] = [];
    try {
      for (const place of places) {
        await this.plant(place.address);
        done.push(place);
      }
    } catch (error) {
      if (!(error instanceof TargetError)) throw error;
      breakpoint.message = error.message;
    }
    breakpoint.places = done;
    if (message !== undefined) breakpoint.message = message;
  }

  private async displace(breakpoint: UserBreakpoint): Promise<void> {
    const { places } = breakpoint;
    breakpoint.places = [];
    for (const place of places) await this.unplant(place.address);
  }
}

async function plantSomehow(target: Target, address: bigint): Promise<'software' | 'hardware'> {
  try {
    await target.insertBreakpoint('software', address);
    return 'software';
  } catch (error) {
    if (!(error instanceof TargetError) || !target.can.hardwareBreakpoints) throw error;
    await target.insertBreakpoint('hardware', address).catch(() => {
      throw error;
    });
    return 'hardware';
  }
}

interface Resolved {
  readonly places: readonly BreakpointPlace[];
  readonly message?: string;
}

const NOWHERE = { file: '', line: 0, column: 0 };

function resolve(request: BreakpointRequest, { symbols, sources }: BoundGuest): Resolved {
  switch (request.kind) {
    case 'instruction':
      return { places: [{ address: request.address, line: NOWHERE }] };
    case 'function':
      return resolveFunction(request.name, symbols);
    case 'source': {
      if (!symbols) return { places: [], message: 'The program has no symbols: set "symbols" in launch.json.' };
      const files = sources.recordedFor(request.path);
      if (files.length === 0) {
        return {
          places: [],
          message: 'This file is not part of the program, or "sourceMap" in launch.json is missing.',
        };
      }
      const places = unique(files.flatMap((file) => symbols.placesFor(file, request.line)));
      return places.length > 0 ? { places } : { places, message: 'There is no code at this line or after it.' };
    }
  }
}

function resolveFunction(name: string, symbols: SymbolIndex | undefined): Resolved {
  const literal = /^\*\s*(0x[0-9a-f]{1,16})$/i.exec(name.trim())?.[1];
  if (literal) return { places: [{ address: BigInt(literal), line: NOWHERE }] };
  const places = unique(symbols?.placesForFunction(name) ?? []);
  if (places.length > 0) return { places };
  const code = (symbols?.symbolsNamed(name) ?? []).filter(({ kind }) => kind !== 'object');
  if (code.length > 0) return { places: code.map(({ address }) => ({ address, line: NOWHERE })) };
  return { places: [], message: `The program has no function "${name}".` };
}

function unique(places: readonly BreakpointPlace[]): readonly BreakpointPlace[] {
  return [...new Map(places.map((place) => [place.address, place])).values()];
}

function sameRequest(a: BreakpointRequest | undefined, b: BreakpointRequest): boolean {
  switch (b.kind) {
    case 'source':
      return a?.kind === 'source' && a.path === b.path && a.line === b.line;
    case 'function':
      return a?.kind === 'function' && a.name === b.name;
    case 'instruction':
      return a?.kind === 'instruction' && a.address === b.address;
  }
}
