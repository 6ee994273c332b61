/**
 * What a step over a line makes of where it has come to, as gdb does: it ends at the beginning of another line, stays out of
 * inlined functions as of others, and is before their calls where they begin, though no instruction stands for the call.
 */
import type { InlineLevel, LineRange, SourceLine, SymbolIndex } from '../symbols/api.ts';

/** Through this range, or no further: shown before as many calls of inlined functions. */
export type Onward = LineRange | number;

/** Calls of inlined functions that begin at an address. */
export const callsAt = (symbols: SymbolIndex | undefined, pc: bigint): number =>
  callsAmong(symbols?.inlineLevels(pc) ?? [], pc);

/** Of each, the code before is not its own. */
function callsAmong(levels: readonly InlineLevel[], pc: bigint): number {
  const shown = levels.findIndex(({ inlined, function: { low, ranges } }) => {
    const begins = low === pc || !ranges.some((range) => pc - 1n >= range.low && pc - 1n < range.high);
    return !inlined || !begins;
  });
  return Math.max(0, shown);
}

/** The part of a line around `pc` that is of an inlined function: its last line may go on behind it. */
function within(line: LineRange, pc: bigint, level: InlineLevel | undefined): LineRange {
  const range = level?.function.ranges.find(({ low, high }) => pc >= low && pc < high);
  if (!range) return line;
  return {
    ...line,
    low: range.low > line.low ? range.low : line.low,
    high: range.high < line.high ? range.high : line.high,
  };
}

const sameLine = (a: SourceLine | undefined, b: SourceLine | undefined) =>
  a !== undefined && a.line === b?.line && a.file === b.file;

export class LineStep {
  /** Innermost first, from the one that is shown. */
  private frame: readonly InlineLevel[];
  private current: SourceLine | undefined;

  /** @param start the line at `pc`. @param ahead calls there that the vCPU is shown before. */
  constructor(
    private readonly symbols: SymbolIndex,
    pc: bigint,
    start: LineRange,
    ahead: number,
    private readonly into: boolean,
  ) {
    this.frame = symbols.inlineLevels(pc).slice(ahead);
    this.current = ahead > 0 ? this.frame[0]?.line : start;
  }

  /** In the same function, having come to `pc`, of the line `line`. */
  onward(pc: bigint, line: LineRange | undefined): Onward {
    const levels = this.symbols.inlineLevels(pc);
    const ahead = callsAmong(levels, pc);
    const shown = levels.slice(ahead);
    if (!line) return ahead;
    if (ahead > 0 && this.isIn(shown, 0)) {
      const here = sameLine(shown[0]?.line, this.current);
      if (this.into) return here ? ahead - 1 : ahead;
      return here ? within(line, pc, levels[0]) : ahead;
    }
    if (shown.length > this.frame.length && this.isIn(shown, shown.length - this.frame.length))
      return this.into ? ahead : within(line, pc, levels[0]);
    const another = line.line !== 0 && !sameLine(line, this.current);
    if (!another) return line;
    const begins = pc === line.low;
    if (begins && line.isStatement) return ahead;
    // In the middle of a line, as behind a jump, the step goes to its end; of what is no statement, nothing counts but the frame.
    if (!begins) this.current = line;
    else if (!this.isIn(shown, 0)) this.current = undefined;
    else return line;
    this.frame = shown;
    return line;
  }

  /** Whether `levels` from `first` on are the frame that is stepped in. */
  private isIn(levels: readonly InlineLevel[], first: number): boolean {
    const [own] = this.frame;
    const there = levels[first];
    return levels.length - first === this.frame.length && there?.function.low === own?.function.low;
  }
}
