/** Goto: the vCPU's next instruction is set to another line of the function that it stands in. Nothing in between runs. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Area } from './area.ts';
import { integer, text } from './arguments.ts';
import { staleReference } from './errors.ts';
import { toLittleEndian } from './stop-state.ts';

const LAST_LINE = 10_000_000;

export const jumps: Area = {
  capabilities: { supportsGotoTargetsRequest: true },
  handlers: {
    gotoTargets: async (session, args) => {
      const path = text('source.path', args.source?.path, 4096);
      const line = integer('line', args.line, 0, LAST_LINE);
      const state = session.stopped;
      const { symbols, sources } = session.guest;
      await symbols?.indexed;
      const here = symbols?.functionAt(await state.pc(state.stop.thread));
      if (!symbols || !here) return { targets: [] };
      const found = await Promise.all(sources.recordedFor(path).map((file) => symbols.placesFor(file, line)));
      // Another function would find neither its arguments nor its return address.
      const inside = found
        .flat()
        .filter(({ address }) => here.ranges.some(({ low, high }) => address >= low && address < high));
      return {
        targets: inside.map(({ address, line: at }) => ({
          id: session.offered.add(address),
          label: `${here.name}, line ${at.line}`,
          line: at.line,
          column: at.column,
          instructionPointerReference: hex(address),
        })),
      };
    },

    goto: async (session, args) => {
      const { state, thread } = await session.stoppedThread(args.threadId);
      const address = session.offered.get(args.targetId);
      if (address === undefined) throw staleReference('target of a jump');
      const { base } = await state.codeSegment(thread);
      await state.writeRegister(thread, 'rip', toLittleEndian(address - base, 8));
      session.standsElsewhere(thread);
    },
  },
};
