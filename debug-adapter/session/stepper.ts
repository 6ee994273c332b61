/**
 * Steps: what `next`, `stepIn` and `stepOut` do to one vCPU. The core steps through ranges of instructions by itself;
 * here it is decided, each time one is left, whether that was a call, a return, an interruption or the next line.
 */
import type { Frame, LineRange, SymbolIndex } from '../symbols/api.ts';
import type { TargetStop } from '../target/target.ts';
import type { BreakpointTable } from './breakpoint-table.ts';
import { LONGEST_INSTRUCTION } from './instruction-decoder.ts';
import { type Interruption, interruptedIn, systemCallIn } from './interruptions.ts';
import type { Go } from './runner.ts';
import { type StopState, wordAt } from './stop-state.ts';
import type { TrapUse } from './traps.ts';

/** Bytes of arguments that a return may take off the stack; another task's stack is farther away. */
const MOST_POPPED = 1024n;

interface Arrival {
  readonly state: StopState;
  /** False when something else stopped the guest on the way. */
  readonly arrived: boolean;
}

/** Whether this stack pointer is that of the frame to stop in. */
type Accepts = (sp: bigint) => boolean;

/** Whether a step through a range goes on at this place. */
type GoesOn = (pc: bigint, line: LineRange | undefined, returned: boolean) => LineRange | undefined;

export class Stepper {
  constructor(
    private readonly go: Go,
    private readonly look: (stop: TargetStop) => StopState,
    private readonly breakpoints: BreakpointTable,
    private readonly rangeStep: boolean,
    private readonly thread: number,
    /** What other vCPUs do during anything longer than one instruction. */
    private readonly others: 'continue' | 'stay',
  ) {}

  async instruction(): Promise<TargetStop> {
    return this.go(this.thread, { kind: 'step' }, 'stay');
  }

  /** One instruction; a call runs until it returns. */
  async overInstruction(from: StopState): Promise<TargetStop> {
    const pc = await from.pc(this.thread);
    const stop = await this.instruction();
    if (stop.reason.kind !== 'step') return stop;
    const state = this.look(stop);
    const now = await state.pc(this.thread);
    const farthest = pc + BigInt(LONGEST_INSTRUCTION);
    if (now > pc && now <= farthest) return stop;
    const back = await this.returnAddress(state);
    const isCall = back > pc && back <= farthest && (await this.sp(state)) === (await this.sp(from)) - 8n;
    return isCall ? asStep(await this.finishCall(state, back), this.breakpoints) : stop;
  }

  /** To the next line; `into` stops in called functions that have lines. Without a line it is one instruction. */
  async line(from: StopState, into: boolean): Promise<TargetStop> {
    const pc = await from.pc(this.thread);
    const start = from.symbols?.lineAt(pc);
    if (!from.symbols || !start) return into ? this.instruction() : this.overInstruction(from);
    return this.through(from, start, into, staysOnLine(from.symbols, pc, start, into));
  }

  /** As {@link Stepper.line} over calls, but into the one at `call`, if the guest comes there. */
  async intoCall(from: StopState, call: bigint): Promise<TargetStop> {
    const pc = await from.pc(this.thread);
    const start = from.symbols?.lineAt(pc);
    if (pc !== call && from.symbols && start) {
      const stays = staysOnLine(from.symbols, pc, start, false);
      const stop = await this.through(from, upTo(start, call, pc), false, (now, line, returned) => {
        const range = now === call ? undefined : stays(now, line, returned);
        return range && upTo(range, call, now);
      });
      if (stop.reason.kind !== 'step' || (await this.look(stop).pc(this.thread)) !== call) return stop;
    }
    const stop = await this.instruction();
    if (stop.reason.kind !== 'step') return stop;
    const entered = this.look(stop);
    const place = afterPrologue(entered, await entered.pc(this.thread));
    return place === undefined ? stop : this.enter(entered, place);
  }

  /** Until the innermost function has returned to `caller`, or is left when it was inlined. */
  async out(from: StopState, frame: Frame, caller: Frame): Promise<TargetStop> {
    if (frame.inlined && frame.function) {
      const { ranges } = frame.function;
      const start = from.symbols?.lineAt(frame.pc);
      if (start) {
        const inside = (pc: bigint) => ranges.some(({ low, high }) => pc >= low && pc < high);
        return this.through(from, start, false, (pc, line, returned) => (!returned && inside(pc) ? line : undefined));
      }
    }
    const sp = caller.registers.get('rsp');
    const interrupted = caller.found === 'interrupt-frame';
    const arrival = await this.runTo(
      caller.address,
      sp === undefined ? () => true : interrupted ? (now) => now === sp : returnsTo(sp),
    );
    return asStep(arrival, this.breakpoints);
  }

  private async through(from: StopState, start: LineRange, into: boolean, goesOn: GoesOn): Promise<TargetStop> {
    const caller = await this.caller(from);
    const callerSp = caller?.registers.get('rsp');
    const startFunction = from.symbols?.functionAt(start.low);
    for (let range: LineRange = start; ; ) {
      const stop = await this.stepRange(range);
      let arrival: Arrival = { state: this.look(stop), arrived: true };
      if (stop.reason.kind !== 'step' || stop.thread !== this.thread) return stop;
      let pc = await arrival.state.pc(this.thread);
      if (pc >= range.low && pc < range.high) continue;

      const back = await this.returnAddress(arrival.state);
      const jumpedWithin = from.symbols?.functionAt(pc)?.low === startFunction?.low && pc !== startFunction?.low;
      const interruption = await interruptedIn(arrival.state, this.thread, range);
      if (!interruption && back > range.low && back <= range.high && !jumpedWithin) {
        const place = into ? afterPrologue(arrival.state, pc) : undefined;
        if (place !== undefined) return this.enter(arrival.state, place);
        arrival = await this.finishCall(arrival.state, back);
      } else {
        const left = interruption ?? (into ? undefined : await systemCallIn(arrival.state, this.thread, range));
        if (left) arrival = await this.goOnAfter(left, caller);
      }
      if (!arrival.arrived) return arrival.state.stop;

      pc = await arrival.state.pc(this.thread);
      const returned = callerSp !== undefined && (await this.sp(arrival.state)) >= callerSp;
      const line = from.symbols?.lineAt(pc);
      if (!line && !returned && !into) {
        const left = await this.leaveUnknown(arrival.state);
        if (left && !left.arrived) return left.state.stop;
        if (left) {
          arrival = left;
          pc = await left.state.pc(this.thread);
        }
      }
      const next = goesOn(pc, from.symbols?.lineAt(pc), returned);
      if (!next) return asStep(arrival, this.breakpoints);
      range = next;
    }
  }

  private stepRange({ low, high }: LineRange): Promise<TargetStop> {
    if (!this.rangeStep) return this.go(this.thread, { kind: 'step' }, this.others);
    return this.go(this.thread, { kind: 'range-step', start: low, end: high }, this.others);
  }

  /** Runs on until what was interrupted goes on, or else has returned to its caller. */
  private goOnAfter({ places, rsp }: Interruption, caller: Frame | undefined): Promise<Arrival> {
    const back = caller?.found === 'interrupt-frame' ? undefined : caller?.registers.get('rsp');
    const returned = caller && back !== undefined ? [{ address: caller.address, accepts: returnsTo(back) }] : [];
    return this.runToOne([...places.map((address) => ({ address, accepts: (sp: bigint) => sp === rsp })), ...returned]);
  }

  /** Runs a function that has just been entered until it returns to `back`. */
  private async finishCall(entry: StopState, back: bigint): Promise<Arrival> {
    return this.runTo(back, returnsTo((await this.sp(entry)) + 1n));
  }

  /** Runs past the prologue of a function that has just been entered. */
  private async enter(entry: StopState, place: bigint): Promise<TargetStop> {
    if (place === (await entry.pc(this.thread))) return entry.stop;
    const sp = await this.sp(entry);
    return asStep(await this.runTo(place, (now) => now <= sp), this.breakpoints);
  }

  /** A jump into a function without lines (an assembly tail): runs on to its caller, where there is one. */
  private async leaveUnknown(state: StopState): Promise<Arrival | undefined> {
    const [, caller] = await state.unwind(this.thread, 2);
    const sp = caller?.registers.get('rsp');
    if (!caller || sp === undefined || caller.found === 'return-address') return undefined;
    return this.runTo(caller.address, (now) => now >= sp);
  }

  /**
   * Runs to an address, in the frame that `accepts` knows by its stack pointer: deeper recursions, other tasks and other vCPUs
   * pass.
   */
  private runTo(address: bigint, accepts: Accepts): Promise<Arrival> {
    return this.runToOne([{ address, accepts }]);
  }

  /** As {@link runTo}, to whichever comes first. */
  private async runToOne(places: readonly { readonly address: bigint; readonly accepts: Accepts }[]): Promise<Arrival> {
    const traps: (readonly [bigint, TrapUse])[] = [];
    try {
      for (const { address } of places) traps.push([address, await this.breakpoints.plant(address)]);
      for (;;) {
        const stop = await this.go(this.thread, { kind: 'continue' }, this.others);
        const state = this.look(stop);
        const pc = stop.reason.kind === 'breakpoint' ? await state.pc(stop.thread) : undefined;
        const here = places.filter(({ address }) => address === pc);
        if (here.length === 0) return { state, arrived: false };
        const sp = stop.thread === this.thread ? await this.sp(state) : undefined;
        if (sp !== undefined && here.some(({ accepts }) => accepts(sp))) return { state, arrived: true };
        if (this.breakpoints.hitBy(stop).length > 0) return { state, arrived: false };
      }
    } finally {
      for (const [address, trap] of traps) await this.breakpoints.unplant(address, trap);
    }
  }

  private async caller(state: StopState): Promise<Frame | undefined> {
    return (await state.frames(this.thread)).find(({ found }) => found !== 'registers');
  }

  private async returnAddress(state: StopState): Promise<bigint> {
    return wordAt(await state.read(this.thread, await this.sp(state), 8), 0) ?? 0n;
  }

  private async sp(state: StopState): Promise<bigint> {
    return (await state.values(this.thread)).get('rsp') ?? 0n;
  }
}

/** For a frame whose stack pointer, as its callee has returned, is `sp` or a little more. */
const returnsTo =
  (sp: bigint): Accepts =>
  (now) =>
    now >= sp && now <= sp + MOST_POPPED;

/** A step over one line goes on at places that still are of that line, or of what was inlined there. */
function staysOnLine(symbols: SymbolIndex, pc: bigint, start: LineRange, into: boolean): GoesOn {
  const levels = symbols.inlineLevels(pc);
  return (now, line, returned) => {
    if (returned || !line) return undefined;
    const sameLine = line.line === start.line && line.file === start.file;
    const inner = symbols.inlineLevels(now);
    const deeper = inner.length > levels.length && inner.at(-1)?.function.low === levels.at(-1)?.function.low;
    const between = line.line === 0 || !line.isStatement;
    return sameLine || between || (deeper && !into) ? line : undefined;
  };
}

/** The part of a range around `pc` that ends before the instruction at `address`, or begins behind its start. */
function upTo(range: LineRange, address: bigint, pc: bigint): LineRange {
  if (address <= range.low || address >= range.high) return range;
  return pc < address ? { ...range, high: address } : { ...range, low: address + 1n };
}

/** Where a function that begins at `pc` has set up its frame; undefined for one without lines. */
function afterPrologue({ symbols }: StopState, pc: bigint): bigint | undefined {
  const entered = symbols?.functionAt(pc);
  if (!symbols || entered?.low !== pc || !symbols.lineAt(pc)) return undefined;
  return symbols.bodyAt(pc) ?? pc;
}

/** The end of a step, told as one even when a trap of ours ended it. */
function asStep({ state, arrived }: Arrival, breakpoints: BreakpointTable): TargetStop {
  const { stop } = state;
  const users = breakpoints.hitBy(stop).length > 0;
  if (!arrived || stop.reason.kind !== 'breakpoint' || users) return stop;
  return { thread: stop.thread, reason: { kind: 'step' } };
}
