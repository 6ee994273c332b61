/**
 * How break- and watchpoints are brought about. Insertions only change the list; `arm`, before vCPUs run, makes memory,
 * slots and the plan for debug registers agree with it, so that a breakpoint in a page that is not mapped yet, or that a
 * loader has written over, is put in place at the next chance.
 */
import type { BreakpointOptions } from '../protocol/agent/breakpoint-options.ts';
import { AgentError, parseProgram } from '../protocol/agent/program.ts';
import type { StopOn } from '../protocol/stop-on.ts';
import { BreakpointError, type BreakpointKind } from './api.ts';
import { type BreakpointEntry, BreakpointList, type Claim, executes, isOfCallAlone } from './breakpoint-list.ts';
import { CALL_BYTES, isCall } from './call-sites.ts';
import { type ControlTrapParts, ControlTraps } from './control-traps.ts';
import {
  type DebugPlan,
  type DebugRegister,
  emptyPlan,
  type IdtContents,
  isSamePlan,
  reportedRegister,
} from './debug-plan.ts';
import { type Delivery, type HandlerTrapParts, HandlerTraps } from './handler-traps.ts';
import { type MemorySlots, PAGE } from './memory-slots.ts';
import type { PlantedTraps } from './planted-traps.ts';
import { type PhysicalWatch, WatchedBytes } from './watched-bytes.ts';

const REGISTERS = 4;

/** What is about to run. */
export interface Arming {
  /** The address that a vCPU is to step off: nothing traps there. */
  readonly skip?: bigint;
  /** Some vCPU steps through user code, or may come there. */
  readonly stepping?: boolean;
  readonly delivery?: Delivery;
}

export interface BreakpointParts extends HandlerTrapParts, Pick<ControlTrapParts, 'controlWrites'> {
  readonly traps: PlantedTraps;
  readonly slots: MemorySlots;
  /** Guest-physical address behind a virtual one as far as it can be known now, in an address space if one is named. */
  readonly locate: (gva: bigint, cr3?: bigint) => number | undefined;
  readonly idt: () => IdtContents;
}

export class Breakpoints {
  readonly #parts: BreakpointParts;
  readonly #list = new BreakpointList();
  #plan: DebugPlan = emptyPlan;
  #watches: readonly PhysicalWatch[] = [];
  /** Guest-physical places of planted traps by their virtual address: several where it is bound to address spaces. */
  #planted: ReadonlyMap<bigint, readonly number[]> = new Map();
  readonly handlers: HandlerTraps;
  readonly controls: ControlTraps;
  /** What else was to be stopped on when everything was brought in place for whoever runs; undefined when it is not. */
  #inPlaceFor: readonly StopOn[] | undefined;
  /** While a vCPU is to be interrupted: what is not watched meanwhile. */
  #unwatched: WatchedBytes | undefined;

  constructor(parts: BreakpointParts) {
    this.#parts = parts;
    this.handlers = new HandlerTraps(parts);
    const { controlWrites, traps } = parts;
    this.controls = new ControlTraps({ controlWrites, read: (gpa, length) => traps.read(gpa, length) });
  }

  insert(kind: BreakpointKind, gva: bigint, length: number, options?: Claim): void {
    if (!this.#list.has(kind, gva, length)) this.#check({ kind, gva, length, claims: [] });
    checkExpressions(options);
    this.#inPlaceFor = undefined;
    this.#list.insert(kind, gva, length, options);
  }

  remove(kind: BreakpointKind, gva: bigint, length: number, options?: Claim): void {
    this.#inPlaceFor = undefined;
    this.#list.remove(kind, gva, length, options);
  }

  /** True since everything was brought in place for whoever runs, as far as others than the guest can change that. */
  get inPlace(): boolean {
    return this.#inPlaceFor === this.#parts.stops();
  }

  /** What the workers must know, as of the last {@link arm}; the same object for as long as nothing has changed. */
  get plan(): DebugPlan {
    return this.#plan;
  }

  /** Brings everything in place for what is about to run. */
  arm({ skip, stepping = false, delivery }: Arming = {}): void {
    const { strategy, traps, slots } = this.#parts;
    this.follow();
    const wanted = this.#list.all.filter(({ kind, gva }) => gva !== skip || !executes(kind));
    const inRegisters = this.#inRegisters(wanted);
    const registers = inRegisters.map(asRegister);
    const planted = new Map<bigint, readonly number[]>();
    for (const entry of wanted) {
      if (entry.kind !== 'software' || strategy.trap === undefined) continue;
      const places = this.#places(entry);
      if (isOfCallAlone(entry) && !places.some((gpa) => isCall(traps.read(gpa, CALL_BYTES)))) continue;
      if (places.length > 0) planted.set(entry.gva, places);
      else if (strategy.executeRegisters && registers.length < REGISTERS) {
        registers.push({ address: entry.gva, length: 1, type: 'execute' });
      }
    }
    this.#watches = wanted
      .filter((entry) => !executes(entry.kind) && !inRegisters.includes(entry))
      .flatMap((entry) => this.#physical(entry));
    const watches = delivery ? [] : this.#watches;
    const circumstances = { skip, stepping, delivery, holdsPages: watches.length > 0 };
    const needsIdt = this.handlers.place(planted, circumstances);
    this.controls.place(planted, skip);
    this.#planted = planted;
    const skipped = skip === undefined ? undefined : this.#parts.locate(skip);
    traps.set(new Set([...planted.values()].flat().filter((gpa) => gpa !== skipped)));
    this.#unwatched = delivery && new WatchedBytes(this.#watches, (gpa, length) => traps.read(gpa, length));
    slots.protect(new Set(watches.map(({ start }) => start - (start % PAGE))));
    const plan: DebugPlan = {
      trap: strategy.trap,
      traps: new Map(traps.hidden),
      trapAddresses: new Map(
        [...planted].map(([gva, [gpa, ...others]]) => [gva, others.length === 0 ? gpa : undefined]),
      ),
      registers,
      watches: watches.map(({ start, end }) => ({ start, end })),
      delivering: delivery && (delivery.interrupt ? 'interrupt' : 'other'),
      conditional: this.#list.conditional(),
      stops: this.#parts.stops(),
      idt: needsIdt ? this.#parts.idt() : undefined,
    };
    if (!isSamePlan(plan, this.#plan)) this.#plan = plan;
    const forAll = skip === undefined && !stepping && delivery === undefined;
    this.#inPlaceFor = forAll ? plan.stops : undefined;
  }

  /** A kernel that has copied itself elsewhere, as Xen does, took its traps along: they hide there what they hid. */
  follow(): void {
    for (const [gva, [from]] of this.#planted) {
      const to = this.#parts.locate(gva);
      if (from !== undefined && to !== undefined && from !== to) this.#parts.traps.follow(from, to);
    }
  }

  /** Takes all traps out of memory, until they are armed again. */
  disarm(): void {
    this.#parts.traps.set(new Set());
    this.#planted = new Map();
    this.#inPlaceFor = undefined;
  }

  /** Virtual address of the first watched byte that was changed by the interrupt that a vCPU was let go for. */
  get changedUnwatched(): bigint | undefined {
    return this.#unwatched?.changed;
  }

  /** True while the guest cannot write some pages of its RAM, because something on them is watched. */
  get holdsPages(): boolean {
    return this.#plan.watches.length > 0;
  }

  /** True when a vCPU that stands on `pc` would trap again without having moved. */
  blocks(pc: bigint): boolean {
    return this.isPlanted(pc) || this.#plan.registers.some(({ type, address }) => type === 'execute' && address === pc);
  }

  /** True while there is an execution breakpoint at `pc`, in place or not. */
  wants(pc: bigint): boolean {
    return this.#list.at(pc).length > 0;
  }

  /** What is wanted of the breakpoint at `pc`; undefined when that is every stop and nothing else. */
  conditional(pc: bigint): readonly Claim[] | undefined {
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
