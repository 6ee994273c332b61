/** Guest-virtual memory for the memory editor. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Area } from './area.ts';
import { address, integer, optionalInteger, text } from './arguments.ts';
import { badArgument } from './errors.ts';
import { announceMemory } from './writes.ts';

const MOST_BYTES = 16 * 1024 * 1024;
const FARTHEST = Number.MAX_SAFE_INTEGER;

export const memory: Area = {
  capabilities: { supportsReadMemoryRequest: true, supportsWriteMemoryRequest: true },
  handlers: {
    readMemory: async (session, args) => {
      const state = session.stopped;
      const base = address('memoryReference', args.memoryReference);
      const offset = optionalInteger('offset', args.offset, -FARTHEST, FARTHEST, 0);
      const count = integer('count', args.count, 0, MOST_BYTES);
      const start = BigInt.asUintN(64, base + BigInt(offset));
      const data = await state.read(state.stop.thread, start, count);
      return {
        address: hex(start),
        data: Buffer.from(data).toString('base64'),
        ...(data.length < count ? { unreadableBytes: count - data.length } : {}),
      };
    },

    writeMemory: async (session, args) => {
      const state = session.stopped;
      const base = address('memoryReference', args.memoryReference);
      const offset = optionalInteger('offset', args.offset, -FARTHEST, FARTHEST, 0);
      const encoded = text('data', args.data, Math.ceil(MOST_BYTES / 3) * 4);
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) throw badArgument('data', 'must be base64');
      const data = Buffer.from(encoded, 'base64');
      const start = BigInt.asUintN(64, base + BigInt(offset));
      await state.writeMemory(state.stop.thread, start, data);
      announceMemory(session, start, data.length);
      return { bytesWritten: data.length };
    },
  },
};
