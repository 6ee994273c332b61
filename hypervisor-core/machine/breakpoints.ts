/**
 * How break- and watchpoints are brought about. Insertions only change the list; `arm`, before vCPUs run, makes memory,
 * slots and the plan for debug registers agree with it, so that a breakpoint in a page that is not mapped yet, or that a
 * loader has written over, is put in place at the next chance.
 */
import { isDeepStrictEqual } from 'node:util';
import type { BreakpointOptions } from '../protocol/agent/breakpoint-options.ts';
import { AgentError, parseProgram } from '../protocol/agent/program.ts';
import type { StopOn } from '../protocol/stop-on.ts';
import { BreakpointError, type BreakpointKind } from './api.ts';
import { type BreakpointEntry, BreakpointList, executes } from './breakpoint-list.ts';
import { type DebugPlan, type DebugRegister, emptyPlan, reportedRegister } from './debug-plan.ts';
import { DOUBLE_FAULT } from './lost-event.ts';
import { type MemorySlots, PAGE } from './memory-slots.ts';
import type { PlantedTraps } from './planted-traps.ts';
import type { DebugStrategy } from './strategy.ts';
import { type PhysicalWatch, WatchedBytes } from './watched-bytes.ts';

const REGISTERS = 4;

/** What is about to run. */
export interface Arming {
  /** The address that a vCPU is to step off: nothing traps there. */
  readonly skip?: bigint;
  /** Some vCPU steps, perhaps through user code. */
  readonly stepping?: boolean;
  readonly delivery?: Delivery;
}

/** One vCPU is to take an interrupt or exception, in whatever page its stack is. */
export interface Delivery {
  /** Vectors that it may be, by the address of the guest's handler, as far as handlers are known. */
  readonly handlers: ReadonlyMap<bigint, number>;
  /** It is stepped: it has RFLAGS.TF. */
  readonly stepped: boolean;
}

export interface BreakpointParts {
  readonly traps: PlantedTraps;
  readonly slots: MemorySlots;
  readonly strategy: DebugStrategy;
  /** Guest-physical address behind a virtual one as far as it can be known now, in an address space if one is named. */
  readonly locate: (gva: bigint, cr3?: bigint) => number | undefined;
  /** Linear address of the guest's handler of an exception. */
  readonly handlerOf: (vector: number) => bigint | undefined;
  readonly idtBase: () => bigint;
  /** What else the guest is to be stopped on. */
  readonly stops: () => readonly StopOn[];
}

export class Breakpoints {
  readonly #parts: BreakpointParts;
  readonly #list = new BreakpointList();
  #plan: DebugPlan = emptyPlan;
  #watches: readonly PhysicalWatch[] = [];
  /** Guest-physical places of planted traps by their virtual address: several where it is bound to address spaces. */
  #planted: ReadonlyMap<bigint, readonly number[]> = new Map();
  /** Address of the guest's handler that a trap stands at, because user code's traps end up there. */
  #gate: bigint | undefined;
  /** Address of the guest's handler that a trap stands at, because frames that KVM may not write end up there. */
  #stackGate: bigint | undefined;
  /** Vectors that the guest is to be stopped on, by their handler's address. */
  #exceptions: ReadonlyMap<bigint, readonly number[]> = new Map();
  /** While a vCPU is to be interrupted: where it comes out, and what is not watched meanwhile. */
  #delivery: (Delivery & { readonly watched: WatchedBytes }) | undefined;

  constructor(parts: BreakpointParts) {
    this.#parts = parts;
  }

  insert(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void {
    if (!this.#list.has(kind, gva, length)) this.#check({ kind, gva, length, claims: [] });
    checkExpressions(options);
    this.#list.insert(kind, gva, length, options);
  }

  remove(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void {
    this.#list.remove(kind, gva, length, options);
  }

  /** What the workers must know, as of the last {@link arm}; the same object for as long as nothing has changed. */
  get plan(): DebugPlan {
    return this.#plan;
  }

  /** Brings everything in place for what is about to run. */
  arm({ skip, stepping = false, delivery }: Arming = {}): void {
    const { strategy, traps, slots } = this.#parts;
    const wanted = this.#list.all.filter(({ kind, gva }) => gva !== skip || !executes(kind));
    const inRegisters = this.#inRegisters(wanted);
    const registers = inRegisters.map(asRegister);
    const planted = new Map<bigint, readonly number[]>();
    for (const entry of wanted) {
      if (entry.kind !== 'software' || strategy.trap === undefined) continue;
      const places = this.#places(entry);
      if (places.length > 0) planted.set(entry.gva, places);
      else if (strategy.executeRegisters && registers.length < REGISTERS) {
        registers.push({ address: entry.gva, length: 1, type: 'execute' });
      }
    }
    this.#watches = wanted
      .filter((entry) => !executes(entry.kind) && !inRegisters.includes(entry))
      .flatMap((entry) => this.#physical(entry));
    const watches = delivery ? [] : this.#watches;
    this.#gate = this.#placeGate(planted, skip, stepping);
    this.#stackGate = watches.length > 0 ? this.#placeStackGate(planted, skip) : undefined;
    this.#exceptions = this.#placeExceptions(planted, skip);
    for (const handler of delivery?.handlers.keys() ?? []) this.#plantAt(planted, handler);
    this.#planted = planted;
    const skipped = skip === undefined ? undefined : this.#parts.locate(skip);
    traps.set(new Set([...planted.values()].flat().filter((gpa) => gpa !== skipped)));
    const watched = new WatchedBytes(delivery ? this.#watches : [], (gpa, length) => traps.read(gpa, length));
    this.#delivery = delivery && { ...delivery, watched };
    slots.protect(new Set(watches.map(({ start }) => start - (start % PAGE))));
    const plan: DebugPlan = {
      trap: strategy.trap,
      traps: new Map(traps.hidden),
      registers,
      watches: watches.map(({ start, end }) => ({ start, end })),
      delivering: delivery !== undefined,
      conditional: this.#list.conditional(),
      stops: this.#parts.stops(),
      idtBase: this.#gateNeeded(planted, stepping) || this.#watchesIdt(watches) ? this.#parts.idtBase() : undefined,
    };
    if (!isDeepStrictEqual(plan, this.#plan)) this.#plan = plan;
  }

  /** Takes all traps out of memory, until they are armed again. */
  disarm(): void {
    this.#parts.traps.set(new Set());
    this.#planted = new Map();
  }

  /** True at the guest's handler that user code's traps and steps end up in. */
  isGate(pc: bigint): boolean {
    return this.#gate === pc;
  }

  /** True at the guest's handler of double faults while it is needed: see lost-event.ts. */
  isStackGate(pc: bigint): boolean {
    return this.#stackGate === pc;
  }

  /** Adds the trap at the guest's exception handler to those to be planted. */
  #placeGate(planted: Map<bigint, readonly number[]>, skip: bigint | undefined, stepping: boolean): bigint | undefined {
    const { strategy } = this.#parts;
    if (!strategy.userVector || !this.#gateNeeded(planted, stepping)) return undefined;
    const handler = this.#parts.handlerOf(strategy.userVector.vector);
    if (handler === undefined || handler === skip || planted.has(handler)) return undefined;
    return this.#plantAt(planted, handler) ? handler : undefined;
  }

  #placeStackGate(planted: Map<bigint, readonly number[]>, skip: bigint | undefined): bigint | undefined {
    if (!this.#parts.strategy.emulatedSupervisor) return undefined;
    const handler = this.#parts.handlerOf(DOUBLE_FAULT);
    return this.#plantAt(planted, handler, skip) ? handler : undefined;
  }

  /** Adds a trap at a handler to those to be planted, unless it is `skip`; false where none can be. */
  #plantAt(planted: Map<bigint, readonly number[]>, handler: bigint | undefined, skip?: bigint): boolean {
    const gpa = handler === undefined ? undefined : this.#parts.locate(handler);
    if (handler === undefined || gpa === undefined) return false;
    if (handler !== skip && !planted.has(handler)) planted.set(handler, [gpa]);
    return true;
  }

  /** Adds traps at the guest's handlers of the exceptions that it is to be stopped on. */
  #placeExceptions(planted: Map<bigint, readonly number[]>, skip: bigint | undefined): Map<bigint, readonly number[]> {
    const vectors = new Map<bigint, readonly number[]>();
    for (const stop of this.#parts.stops()) {
      if (stop.kind !== 'exception') continue;
      const handler = this.#parts.handlerOf(stop.vector);
      if (handler === undefined || !this.#plantAt(planted, handler, skip)) continue;
      vectors.set(handler, [...(vectors.get(handler) ?? []), stop.vector]);
    }
    return vectors;
  }

  /** Handlers have to be found anew when the guest loads another IDT. */
  #watchesIdt(watches: readonly PhysicalWatch[]): boolean {
    const gated = this.#parts.strategy.emulatedSupervisor && watches.length > 0;
    return gated || this.#parts.stops().some(({ kind }) => kind === 'exception');
  }

  /** Vectors whose handler is at `pc`, and whose exceptions the guest is to be stopped on. */
  exceptionsAt(pc: bigint): readonly number[] {
    return this.#exceptions.get(pc) ?? [];
  }

  /** What a vCPU was let go for, when it is done at `pc` and nobody else wants to know. */
  landing(pc: bigint): { readonly vector: number; readonly stepped: boolean } | undefined {
    const vector = this.wants(pc) ? undefined : this.#delivery?.handlers.get(pc);
    return vector === undefined ? undefined : { vector, stepped: this.#delivery?.stepped ?? false };
  }

  /** Virtual address of the first watched byte that was changed by the interrupt that a vCPU was let go for. */
  get changedUnwatched(): bigint | undefined {
    return this.#delivery?.watched.changed;
  }

  /** True while the guest cannot write some pages of its RAM, because something on them is watched. */
  get holdsPages(): boolean {
    return this.#plan.watches.length > 0;
  }

  #gateNeeded(planted: ReadonlyMap<bigint, readonly number[]>, stepping: boolean): boolean {
    const { strategy } = this.#parts;
    return strategy.userVector !== undefined && (planted.size > 0 || (stepping && !strategy.userSteps));
  }

  /** True when a vCPU that stands on `pc` would trap again without having moved. */
  blocks(pc: bigint): boolean {
    return this.isPlanted(pc) || this.#plan.registers.some(({ type, address }) => type === 'execute' && address === pc);
  }

  /** True while there is an execution breakpoint at `pc`, in place or not. */
  wants(pc: bigint): boolean {
    return this.#list.at(pc).length > 0;
  }

  /** What those want of the breakpoint at `pc` who do not want every stop; undefined when somebody does. */
  conditional(pc: bigint): readonly BreakpointOptions[] | undefined {
    return this.#plan.conditional.get(pc);
  }

  /** True when a software breakpoint at this virtual address is in place. */
  isPlanted(pc: bigint): boolean {
    return this.#planted.has(pc);
  }

  /** True when a hardware breakpoint was asked for at `pc`, rather than one standing in for a trap. */
  isHardware(pc: bigint): boolean {
    return this.#list.at(pc).some(({ kind }) => kind === 'hardware');
  }

  /** Which register a DR6 value reports. */
  hit(dr6: bigint): DebugRegister | undefined {
    return reportedRegister(this.#plan, dr6);
  }

  /** Virtual address of the watched byte that a write of `size` bytes at `gpa` touched first. */
  watched(gpa: number, size: number): bigint | undefined {
    const watch = this.#watches.find(({ start, end }) => gpa < end && gpa + size > start);
    return watch && watch.gva + BigInt(Math.max(0, gpa - watch.start));
  }

  /** What the watchpoint at `gva` that a debug register stands for was asked to be about. */
  watchKind(gva: bigint): 'write' | 'read' | 'access' {
    const kinds = new Set(this.#list.all.filter((entry) => entry.gva === gva).map(({ kind }) => kind));
    if (kinds.has('access')) return 'access';
    return kinds.has('read') ? 'read' : 'write';
  }

  /** True when the trap that a vCPU ran into at `pc` was planted for another virtual address of the same byte. */
  isAlias(pc: bigint, gpa: bigint | undefined): boolean {
    return gpa !== undefined && !this.isPlanted(pc) && this.#parts.traps.has(Number(gpa));
  }

  #check(entry: BreakpointEntry): void {
    const { strategy } = this.#parts;
    if (entry.kind === 'software') {
      if (strategy.trap === undefined && !strategy.executeRegisters) {
        throw new BreakpointError('This KVM lets no breakpoint instruction out of the guest; see ringside doctor.');
      }
      return;
    }
    if (entry.kind === 'hardware' && !strategy.executeRegisters) {
      throw new BreakpointError("This host's KVM ignores debug registers; set a software breakpoint instead.");
    }
    if ((entry.kind === 'read' || entry.kind === 'access') && !strategy.dataRegisters) {
      throw new BreakpointError("This host's KVM cannot watch reads; watch for writes instead.");
    }
    if (this.#inRegisters([...this.#list.all, entry]).includes(entry)) return;
    if (entry.kind === 'write') {
      if (this.#physical(entry).length > 0) return;
      throw new BreakpointError(`0x${entry.gva.toString(16)} is not mapped to RAM, so writes to it cannot be watched.`);
    }
    throw new BreakpointError(
      fits(entry)
        ? `All ${REGISTERS} debug registers are in use; remove a hardware break- or watchpoint.`
        : 'Reads can be watched only of 1, 2, 4 or 8 bytes at a multiple of their size.',
    );
  }

  /**
   * Who gets one of the debug registers: first those who cannot do without, then writes, which a page that the guest may
   * not write can watch as well, in any size and number.
   */
  #inRegisters(entries: readonly BreakpointEntry[]): BreakpointEntry[] {
    const must = entries.filter((entry) => entry.kind === 'hardware' || (needsReads(entry) && fits(entry)));
    const may = this.#parts.strategy.dataRegisters
      ? entries.filter((entry) => entry.kind === 'write' && fits(entry))
      : [];
    return [...must, ...may].slice(0, REGISTERS);
  }

  /** Where the byte of a breakpoint lies: in the address spaces that it is bound to, or where it can be found. */
  #places({ gva, claims }: BreakpointEntry): number[] {
    const spaces = new Set(claims.map(({ cr3 }) => cr3));
    const places = [...spaces].map((cr3) => this.#parts.locate(gva, cr3));
    return [...new Set(places.filter((gpa) => gpa !== undefined))];
  }

  /** The watched bytes in physical memory, page by page; pages that are not mapped are left out. */
  #physical({ gva, length }: BreakpointEntry): PhysicalWatch[] {
    const watches: PhysicalWatch[] = [];
    for (let at = gva; at < gva + BigInt(length); ) {
      const inPage = Math.min(PAGE - Number(at % BigInt(PAGE)), Number(gva + BigInt(length) - at));
      const gpa = this.#parts.locate(at);
      if (gpa !== undefined) watches.push({ gva: at, start: gpa, end: gpa + inPage });
      at += BigInt(inPage);
    }
    return watches;
  }
}

const needsReads = ({ kind }: BreakpointEntry) => kind === 'read' || kind === 'access';
/** What a debug register can watch. */
const fits = ({ gva, length }: BreakpointEntry) => [1, 2, 4, 8].includes(length) && gva % BigInt(length) === 0n;

function asRegister({ kind, gva, length }: BreakpointEntry): DebugRegister {
  if (kind === 'hardware') return { address: gva, length: 1, type: 'execute' };
  // The processor cannot watch reads alone.
  return { address: gva, length, type: kind === 'write' ? 'write' : 'access' };
}

/** What is wrong with an expression is told to who sends it, before the guest runs into it. */
function checkExpressions(options: BreakpointOptions | undefined): void {
  try {
    for (const bytes of [...(options?.conditions ?? []), ...(options?.commands ?? [])]) parseProgram(bytes);
  } catch (error) {
    if (error instanceof AgentError) throw new BreakpointError(`The breakpoint's expression ${error.message}.`);
    throw error;
  }
}
