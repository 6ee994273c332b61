/**
 * memory_op: xen/include/public/memory.h. The guest's RAM is always all there: pages that it gives back stay, and what it
 * asks to be put at a frame (shared info, grant table) takes the RAM that is at that frame.
 */
import type { Answer, Call, Platform } from '../abi.ts';
import { done, EFAULT, EINVAL, ENOSYS, EPERM, ESRCH, failed, integer, isSelf, ok, withStructure } from '../xen-call.ts';
import { XenDomain } from '../xen-domain.ts';

/** Bits of the command that hold the operation; those above hold where to go on after a preemption. */
const OPERATION = 0x3f;
const PAGE = 4096;
const PAGE_SHIFT = 12n;
const SPACE = { sharedInfo: 0, grantTable: 1 };
export const GRANT_FRAMES = 4;
/** First and last byte of conventional memory's end and of the ROM area, which no memory map gives away. */
const RESERVED = { start: 0x9_f000, end: 0x10_0000 };
const E820 = { ram: 1, reserved: 2, entryBytes: 20 };
const MOST_EXTENTS = 1 << 20;

export function memoryOp(call: Call, platform: Platform): Answer {
  const { wordBytes } = call;
  switch (integer(call, 0) & OPERATION) {
    case 0: // increase_reservation
    case 1: // decrease_reservation
    case 6: // populate_physmap: extent_start, nr_extents, extent_order, flags, domid
      return withStructure(call, platform, wordBytes * 2 + 12, (view) => {
        const extents = word(view, wordBytes, wordBytes);
        if (!isSelf(view.getUint16(wordBytes * 2 + 8, true))) return failed(ESRCH);
        return extents > MOST_EXTENTS ? failed(EINVAL) : { result: BigInt(extents) };
      });
    case 2: // maximum_ram_page
    case 14: // maximum_gpfn
      return { result: lastByte(platform) >> PAGE_SHIFT };
    case 3: // current_reservation
    case 4: // maximum_reservation
      return withStructure(call, platform, 2, (view) =>
        isSelf(view.getUint16(0, true)) ? { result: pages(platform) } : failed(ESRCH),
      );
    case 7: // add_to_physmap: domid, size, space, idx, gpfn
      return withStructure(call, platform, 8 + 2 * wordBytes, (view) => addToPhysmap(view, call, platform));
    case 9: // memory_map: nr_entries, buffer
      return withStructure(call, platform, 2 * wordBytes, (view) => memoryMap(view, call, platform));
    case 10: // machine_memory_map
      return failed(EPERM);
    case 15: // remove_from_physmap: domid, gpfn
      return withStructure(call, platform, 2 * wordBytes, (view) =>
        isSelf(view.getUint16(0, true)) ? ok : failed(ESRCH),
      );
    default:
      return failed(ENOSYS);
  }
}

const word = (view: DataView, at: number, bytes: 4 | 8) =>
  bytes === 8 ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true);

const lastByte = ({ ram }: Platform) => {
  const last = ram.at(-1);
  return BigInt((last?.gpa ?? 0) + (last?.size ?? 1) - 1);
};
const pages = ({ ram }: Platform) => BigInt(ram.reduce((sum, { size }) => sum + size / PAGE, 0));

function addToPhysmap(view: DataView, { wordBytes }: Call, platform: Platform): Answer {
  if (!isSelf(view.getUint16(0, true))) return failed(ESRCH);
  const space = view.getUint32(4, true);
  const index = word(view, 8, wordBytes);
  const gpa = BigInt(word(view, 8 + wordBytes, wordBytes)) << PAGE_SHIFT;
  const where = `at 0x${gpa.toString(16)}`;
  if (space === SPACE.sharedInfo && index === 0) {
    return new XenDomain(platform).mapSharedInfo(gpa, wordBytes) ? done(`shared info ${where}`) : failed(EINVAL);
  }
  if (space !== SPACE.grantTable || index >= GRANT_FRAMES) return failed(EINVAL);
  const written = platform.memory.writePhysical(gpa, new Uint8Array(PAGE));
  return written === PAGE ? done(`grant table ${index} ${where}`) : failed(EINVAL);
}

/** Entries as the BIOS gives them. */
function memoryMap(view: DataView, { wordBytes }: Call, platform: Platform): Answer {
  const room = view.getUint32(0, true);
  const buffer = wordBytes === 8 ? view.getBigUint64(8, true) : BigInt(view.getUint32(4, true));
  const entries = platform.ram
    .flatMap(({ gpa, size }) =>
      gpa > 0
        ? [[gpa, gpa + size, E820.ram] as const]
        : [
            [0, RESERVED.start, E820.ram] as const,
            [RESERVED.start, RESERVED.end, E820.reserved] as const,
            [RESERVED.end, size, E820.ram] as const,
          ],
    )
    .slice(0, room);
  const bytes = new DataView(new ArrayBuffer(entries.length * E820.entryBytes));
  entries.forEach(([start, end, type], index) => {
    bytes.setBigUint64(index * E820.entryBytes, BigInt(start), true);
    bytes.setBigUint64(index * E820.entryBytes + 8, BigInt(end - start), true);
    bytes.setUint32(index * E820.entryBytes + 16, type, true);
  });
  if (platform.memory.writeVirtual(buffer, new Uint8Array(bytes.buffer)) < bytes.byteLength) return failed(EFAULT);
  view.setUint32(0, entries.length, true);
  return done(`${entries.length} entries`);
}
