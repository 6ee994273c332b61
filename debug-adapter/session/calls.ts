/** Calls that are still to come on the line where a vCPU stands, for "Step Into Target". */
import type { LineRange, SymbolIndex } from '../symbols/api.ts';
import { decoderFor } from './instruction-decoder.ts';
import { symbolName } from './state/symbol-name.ts';
import type { StopState } from './stop-state.ts';

/** Bytes of one line's code; more is no line that a person steps through. */
const LONGEST = 4096;

export interface UpcomingCall {
  readonly address: bigint;
  /** The called function, or the instruction where that is not known before it runs. */
  readonly label: string;
}

export async function upcomingCalls(state: StopState, thread: number): Promise<readonly UpcomingCall[]> {
  const pc = await state.pc(thread);
  const line = state.symbols?.lineAt(pc);
  if (!state.symbols || !line) return [];
  const length = Math.min(Number(endOfLine(state.symbols, line) - pc), LONGEST);
  const code = await state.read(thread, pc, length);
  const { base, bits } = await state.codeSegment(thread);
  const decoder = await decoderFor(code, pc, bits, 'intel', base);
  const name = (address: bigint) => symbolName(state.symbols, address);
  const calls: UpcomingCall[] = [];
  try {
    for (let offset = 0; offset < code.length; offset += decoder.boundaryAt(offset).length) {
      const call = decoder.callAt(offset);
      if (!call) continue;
      const called = call.target === undefined ? undefined : name(call.target);
      calls.push({ address: pc + BigInt(offset), label: called ?? decoder.textAt(offset, name) });
    }
  } finally {
    decoder.dispose();
  }
  return calls;
}

/** Where the code of a line ends that goes on from `range` without a gap. */
function endOfLine(symbols: SymbolIndex, range: LineRange): bigint {
  let { high } = range;
  while (high - range.low < LONGEST) {
    const next = symbols.lineAt(high);
    if (next?.low !== high || next.file !== range.file || next.line !== range.line) break;
    high = next.high;
  }
  return high;
}
