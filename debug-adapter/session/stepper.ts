/**
 * Steps: what `next`, `stepIn` and `stepOut` do to one vCPU. The core steps through ranges of instructions by itself;
 * here it is decided, each time one is left, whether that was a call, a return, an interruption or the next line.
 */
import type { Frame, LineRange } from '../symbols/api.ts';
import type { TargetStop } from '../target/target.ts';
import type { BreakpointTable } from './breakpoint-table.ts';
import { LONGEST_INSTRUCTION } from './instruction-decoder.ts';
import { endsInIret, type Interruption, interruptedIn, systemCallIn } from './interruptions.ts';
import { callsAt, LineStep, type Onward } from './line-step.ts';
import type { Go } from './runner.ts';
import { type ShownStop, type StopState, wordAt } from './stop-state.ts';
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

/** Whether a step through a range goes on at this place, of the same function. */
type GoesOn = (pc: bigint, line: LineRange | undefined) => Onward;

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
    return isCall ? this.asStep(await this.finishCall(state, back)) : stop;
  }

  /** To the next line; `into` stops in called functions that have lines. Without a line it is one instruction. */
  async line(from: StopState, into: boolean): Promise<ShownStop> {
    const ahead = from.ahead(this.thread);
    if (into && ahead > 0) return { thread: this.thread, reason: { kind: 'step' }, ahead: ahead - 1 };
    const pc = await from.pc(this.thread);
    const start = from.symbols?.lineAt(pc);
    if (!from.symbols || !start) return into ? this.instruction() : this.overInstruction(from);
    const step = new LineStep(from.symbols, pc, start, ahead, into);
    return this.through(from, start, into, (now, line) => step.onward(now, line));
  }

  /** As {@link Stepper.line} over calls, but into the one at `call`, if the guest comes there. */
  async intoCall(from: StopState, call: bigint): Promise<TargetStop> {
    const pc = await from.pc(this.thread);
    const start = from.symbols?.lineAt(pc);
    if (pc !== call && from.symbols && start) {
      const step = new LineStep(from.symbols, pc, start, from.ahead(this.thread), false);
      const stop = await this.through(from, upTo(start, call, pc), false, (now, line) => {
        const onward = now === call ? 0 : step.onward(now, line);
        return typeof onward === 'number' ? onward : upTo(onward, call, now);
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
        return this.through(from, start, false, (pc, line) => (line && inside(pc) ? line : callsAt(from.symbols, pc)));
      }
    }
    const sp = caller.registers.get('rsp');
    const interrupted = caller.found === 'interrupt-frame';
    const arrival = await this.runTo(
      caller.address,
      sp === undefined ? () => true : interrupted ? (now) => now === sp : returnsTo(sp),
    );
    return this.asStep(arrival);
  }

  private async through(from: StopState, start: LineRange, into: boolean, goesOn: GoesOn): Promise<ShownStop> {
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
      const here = from.symbols?.lineAt(pc);
      const isBetween = here !== undefined && here.low !== pc;
      // What was interrupted is other work: there a step ends at once.
      if (isBetween && (await endsInIret(arrival.state, this.thread, range))) return this.asStep(arrival, pc);
      // A step that leaves its function goes on to a line's beginning, as within it.
      if (returned) return isBetween ? this.line(arrival.state, into) : this.asStep(arrival, pc);
      const onward = goesOn(pc, here);
      if (typeof onward === 'number') return this.asStep(arrival, pc, onward);
      range = onward;
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
  private async enter(entry: StopState, place: bigint): Promise<ShownStop> {
    if (place === (await entry.pc(this.thread))) return this.asStep({ state: entry, arrived: true }, place);
    const sp = await this.sp(entry);
    return this.asStep(await this.runTo(place, (now) => now <= sp), place);
  }

  /**
   * A jump into a function without lines (an assembly tail): runs on to its caller, where there is one, for as long as that takes,
   * as over a call; a pause ends it.
   */
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

  /** The end of a step, told as one even when a trap of ours ended it; at `pc`, before the inlined `calls` that begin there. */
  private asStep({ state, arrived }: Arrival, pc?: bigint, calls?: number): ShownStop {
    const { stop } = state;
    const isStep = stop.reason.kind === 'step' || (arrived && stop.reason.kind === 'breakpoint');
    if (!isStep || this.breakpoints.hitBy(stop).length > 0) return stop;
    const ahead = calls ?? (pc === undefined ? 0 : callsAt(state.symbols, pc));
    return { thread: stop.thread, reason: { kind: 'step' }, ...(ahead > 0 && { ahead }) };
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
