/** Guest-virtual and guest-physical memory for the memory editor. */
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Area } from './area.ts';
import { address, integer, optionalInteger, text } from './arguments.ts';
import { badArgument } from './errors.ts';
import type { Session } from './session.ts';
import { announceMemory } from './writes.ts';

const MOST_BYTES = 16 * 1024 * 1024;
const FARTHEST = Number.MAX_SAFE_INTEGER;

export const memory: Area = {
  capabilities: { supportsReadMemoryRequest: true, supportsWriteMemoryRequest: true },
  handlers: {
    readMemory: async (session, args) => {
      const place = memoryPlace(session, args.memoryReference, args.offset);
      const count = integer('count', args.count, 0, MOST_BYTES);
      const data = await place.read(count);
      return {
        address: place.reference,
        data: Buffer.from(data).toString('base64'),
        ...(data.length < count ? { unreadableBytes: count - data.length } : {}),
      };
    },

    writeMemory: async (session, args) => {
      const place = memoryPlace(session, args.memoryReference, args.offset);
      const encoded = text('data', args.data, Math.ceil(MOST_BYTES / 3) * 4);
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) throw badArgument('data', 'must be base64');
      const data = Buffer.from(encoded, 'base64');
      await place.write(data);
      announceMemory(session, place.reference, data.length);
      return { bytesWritten: data.length };
    },
  },
};

/** What comes before a guest-physical address in a memory reference. */
const PHYSICAL = 'physical:';

/** Where a memory reference leads: `0x1000` is an address of the stopped vCPU, `physical:0x1000` a guest-physical one. */
function memoryPlace(session: Session, reference: unknown, offset: unknown) {
  const state = session.stopped;
  const physical = typeof reference === 'string' && reference.startsWith(PHYSICAL);
  const base = address('memoryReference', physical ? reference.slice(PHYSICAL.length) : reference);
  const start = BigInt.asUintN(64, base + BigInt(optionalInteger('offset', offset, -FARTHEST, FARTHEST, 0)));
  if (physical) {
    return {
      reference: `${PHYSICAL}${hex(start)}`,
      read: (count: number) => state.target.readPhysical(start, count),
      write: (data: Uint8Array) => state.writePhysical(start, data),
    };
  }
  const { thread } = state.stop;
  return {
    reference: hex(start),
    read: (count: number) => state.read(thread, start, count),
    write: (data: Uint8Array) => state.writeMemory(thread, start, data),
  };
}
