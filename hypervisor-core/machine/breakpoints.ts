/**
 * Break- and watchpoints: what was asked for, and how it is brought about. Insertions only change the list; `arm`, before
 * vCPUs run, makes memory, slots and debug registers agree with it, so that a breakpoint in a page that is not mapped
 * yet, or that a loader has written over, is put in place at the next chance.
 */
import { BreakpointError, type BreakpointKind } from './api.ts';
import type { DebugTable, Watch } from './debug-table.ts';
import { type MemorySlots, PAGE } from './memory-slots.ts';
import type { PlantedTraps } from './planted-traps.ts';
import type { DebugStrategy } from './strategy.ts';

/** One of DR0 to DR3 as DR7 describes it (Intel SDM vol. 3B 17.2.4). */
export interface DebugRegister {
  readonly address: bigint;
  readonly length: number;
  readonly type: 'execute' | 'write' | 'access';
}

const REGISTERS = 4;

interface Entry {
  readonly kind: BreakpointKind;
  readonly gva: bigint;
  readonly length: number;
  count: number;
}

interface PhysicalWatch extends Watch {
  readonly gva: bigint;
}

export interface BreakpointParts {
  readonly traps: PlantedTraps;
  readonly slots: MemorySlots;
  readonly table: DebugTable;
  readonly strategy: DebugStrategy;
  /** Guest-physical address behind a virtual one as far as it can be known now. */
  readonly locate: (gva: bigint) => number | undefined;
  /** Linear address of the guest's handler of an exception. */
  readonly handlerOf: (vector: number) => bigint | undefined;
  readonly idtBase: () => bigint;
}

export class Breakpoints {
  readonly #parts: BreakpointParts;
  readonly #entries = new Map<string, Entry>();
  #registers: readonly DebugRegister[] = [];
  #watches: readonly PhysicalWatch[] = [];
  /** Guest-physical place of each planted trap by its virtual address. */
  #planted: ReadonlyMap<bigint, number> = new Map();
  /** Address of the guest's handler that a trap stands at, because user code's traps end up there. */
  #gate: bigint | undefined;

  constructor(parts: BreakpointParts) {
    this.#parts = parts;
  }

  insert(kind: BreakpointKind, gva: bigint, length: number): void {
    const key = keyOf(kind, gva, length);
    const known = this.#entries.get(key);
    if (known) {
      known.count++;
      return;
    }
    const entry = { kind, gva, length, count: 1 };
    this.#check(entry);
    this.#entries.set(key, entry);
  }

  remove(kind: BreakpointKind, gva: bigint, length: number): void {
    const key = keyOf(kind, gva, length);
    const entry = this.#entries.get(key);
    if (entry && --entry.count === 0) this.#entries.delete(key);
  }

  /**
   * Brings everything in place, except what would trap at `skip`, the address that a vCPU is to step off. `stepping`:
   * some vCPU steps, perhaps through user code.
   */
  arm(skip?: bigint, stepping = false): void {
    const { strategy, traps, table, slots } = this.#parts;
    const wanted = [...this.#entries.values()].filter(({ kind, gva }) => gva !== skip || !executes(kind));
    const registers = wanted.filter((entry) => this.#needsRegister(entry)).map(asRegister);
    const planted = new Map<bigint, number>();
    for (const { kind, gva } of wanted) {
      if (kind !== 'software' || strategy.trap === undefined) continue;
      const gpa = this.#parts.locate(gva);
      if (gpa !== undefined) planted.set(gva, gpa);
      else if (strategy.executeRegisters && registers.length < REGISTERS) {
        registers.push({ address: gva, length: 1, type: 'execute' });
      }
    }
    this.#gate = this.#placeGate(planted, skip, stepping);
    this.#registers = registers;
    this.#planted = planted;
    const skipped = skip === undefined ? undefined : this.#parts.locate(skip);
    const trap = strategy.trap?.byte ?? 0;
    const places = [...new Set(planted.values())].filter((gpa) => gpa !== skipped);
    traps.set(new Map(places.map((gpa) => [gpa, trap])));
    table.setTraps(strategy.trap?.kind === 'in-dx' ? places : []);
    table.hardwareMask = (1 << registers.length) - 1;
    this.#watches = wanted.filter((entry) => this.#needsSlot(entry)).flatMap((entry) => this.#physical(entry));
    table.setWatches(this.#watches);
    slots.protect(new Set(this.#watches.map(({ start }) => start - (start % PAGE))));
  }

  /** Takes all traps out of memory, until they are armed again. */
  disarm(): void {
    this.#parts.traps.set(new Map());
    this.#parts.table.setTraps([]);
    this.#planted = new Map();
  }

  /** What the debug registers are to hold. */
  get registers(): readonly DebugRegister[] {
    return this.#registers;
  }

  /** True at the guest's handler that user code's traps and steps end up in. */
  isGate(pc: bigint): boolean {
    return this.#gate === pc;
  }

  get anyPlanted(): boolean {
    return this.#planted.size > 0;
  }

  /** Adds the trap at the guest's exception handler to those to be planted. */
  #placeGate(planted: Map<bigint, number>, skip: bigint | undefined, stepping: boolean): bigint | undefined {
    const { strategy, table } = this.#parts;
    const needed = strategy.userVector && (planted.size > 0 || (stepping && !strategy.userSteps));
    table.watchIdt(needed ? this.#parts.idtBase() : undefined);
    if (!strategy.userVector || !needed) return undefined;
    const handler = this.#parts.handlerOf(strategy.userVector.vector);
    if (handler === undefined || handler === skip || planted.has(handler)) return undefined;
    const gpa = this.#parts.locate(handler);
    if (gpa !== undefined) planted.set(handler, gpa);
    return gpa === undefined ? undefined : handler;
  }

  /** True when a vCPU that stands on `pc` would trap again without having moved. */
  blocks(pc: bigint): boolean {
    return this.isPlanted(pc) || this.#registers.some(({ type, address }) => type === 'execute' && address === pc);
  }

  /** True while there is an execution breakpoint at `pc`, in place or not. */
  wants(pc: bigint): boolean {
    return [...this.#entries.values()].some(({ kind, gva }) => executes(kind) && gva === pc);
  }

  /** True when a software breakpoint at this virtual address is in place. */
  isPlanted(pc: bigint): boolean {
    return this.#planted.has(pc);
  }

  /** True when a hardware breakpoint was asked for at `pc`, rather than one standing in for a trap. */
  isHardware(pc: bigint): boolean {
    return [...this.#entries.values()].some(({ kind, gva }) => kind === 'hardware' && gva === pc);
  }

  /** Which register a DR6 value reports, by its bits B0 to B3. */
  hit(dr6: bigint): DebugRegister | undefined {
    return this.#registers.find((_, position) => (dr6 >> BigInt(position)) & 1n);
  }

  /** Virtual address of the watched byte that a write of `size` bytes at `gpa` touched first. */
  watched(gpa: number, size: number): bigint | undefined {
    const watch = this.#watches.find(({ start, end }) => gpa < end && gpa + size > start);
    return watch && watch.gva + BigInt(Math.max(0, gpa - watch.start));
  }

  /** True when the trap that a vCPU ran into at `pc` was planted for another virtual address of the same byte. */
  isAlias(pc: bigint, gpa: bigint | undefined): boolean {
    return gpa !== undefined && !this.isPlanted(pc) && this.#parts.traps.has(Number(gpa));
  }

  #check(entry: Entry): void {
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
    if (this.#needsRegister(entry)) {
      const used = [...this.#entries.values()].filter((other) => this.#needsRegister(other)).length;
      if (used >= REGISTERS) {
        throw new BreakpointError(
          `All ${REGISTERS} debug registers are in use; remove a hardware break- or watchpoint.`,
        );
      }
    } else if (this.#physical(entry).length === 0) {
      throw new BreakpointError(`0x${entry.gva.toString(16)} is not mapped to RAM, so writes to it cannot be watched.`);
    }
  }

  #needsRegister({ kind, gva, length }: Entry): boolean {
    if (kind === 'software') return false;
    if (kind === 'hardware') return true;
    const fits = [1, 2, 4, 8].includes(length) && gva % BigInt(length) === 0n;
    return this.#parts.strategy.dataRegisters && (fits || kind !== 'write');
  }

  #needsSlot(entry: Entry): boolean {
    return entry.kind === 'write' && !this.#needsRegister(entry);
  }

  /** The watched bytes in physical memory, page by page; pages that are not mapped are left out. */
  #physical({ gva, length }: Entry): PhysicalWatch[] {
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

const keyOf = (kind: BreakpointKind, gva: bigint, length: number) => `${kind} ${gva} ${executes(kind) ? 0 : length}`;
const executes = (kind: BreakpointKind) => kind === 'software' || kind === 'hardware';

function asRegister({ kind, gva, length }: Entry): DebugRegister {
  if (kind === 'hardware') return { address: gva, length: 1, type: 'execute' };
  // The processor cannot watch reads alone.
  return { address: gva, length, type: kind === 'write' ? 'write' : 'access' };
}
