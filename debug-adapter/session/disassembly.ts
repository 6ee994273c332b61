/** The disassembly view: instructions before and after any address, with symbols and source lines. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Area } from './area.ts';
import { address, integer, optionalInteger } from './arguments.ts';
import { disassemble } from './disassembler.ts';
import { disassemblyFailed } from './errors.ts';
import { instructionStarts } from './instruction-starts.ts';
import type { Session } from './session.ts';
import { describeSource } from './stacks.ts';
import { symbolName } from './state/symbol-name.ts';
import type { StopState } from './stop-state.ts';

const MOST_INSTRUCTIONS = 20_000;
const FARTHEST = Number.MAX_SAFE_INTEGER;

export const disassembly: Area = {
  capabilities: { supportsDisassembleRequest: true },
  handlers: {
    disassemble: async (session, args) => {
      const state = session.stopped;
      const { thread } = state.stop;
      const reference = address('memoryReference', args.memoryReference);
      const offset = optionalInteger('offset', args.offset, -FARTHEST, FARTHEST, 0);
      const { base: segment, bits } = await state.codeSegment(thread);
      const request = {
        base: BigInt.asUintN(64, reference + BigInt(offset)),
        instructionOffset: optionalInteger(
          'instructionOffset',
          args.instructionOffset,
          -MOST_INSTRUCTIONS,
          MOST_INSTRUCTIONS,
          0,
        ),
        count: integer('instructionCount', args.instructionCount, 0, MOST_INSTRUCTIONS),
        ...{ bits, segment },
        syntax: 'intel' as const,
      };
      const rows = await disassemble(request, {
        read: state.reader(thread),
        symbol: (at) => symbolName(state.symbols, at),
        starts: (low, high) => instructionStarts(state.symbols, low, high),
      }).catch((error: Error) => {
        throw disassemblyFailed(error.message);
      });
      const source = sourceLines(session, state);
      return {
        instructions: rows.map(({ address: at, bytes, text, symbol, valid }) => ({
          address: hex(at),
          instruction: text,
          ...(bytes.length > 0
            ? {
                instructionBytes: Buffer.from(bytes)
                  .toString('hex')
                  .replace(/..(?=.)/g, '$& '),
              }
            : {}),
          ...(symbol === undefined ? {} : { symbol }),
          ...(valid ? source(at) : { presentationHint: 'invalid' as const }),
        })),
      };
    },
  },
};

/** The source line of each first instruction of a run. */
function sourceLines(session: Session, state: StopState) {
  let last = '';
  return (at: bigint) => {
    const line = state.symbols?.lineAt(at);
    const key = line ? `${line.file}:${line.line}` : '';
    if (!line || key === last || line.line === 0) return {};
    last = key;
    return { location: describeSource(session.guest.sources, line.file), line: line.line };
  };
}
