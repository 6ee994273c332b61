/** `qMemoryRegionInfo` (lldb): the run of virtual addresses around one that the page tables treat alike. */
import { pagingMode } from '../../paging/paging-mode.ts';
import { withReads } from '../../paging/reads.ts';
import { type PageWalk, walk } from '../../paging/walk.ts';
import { parseNumber } from '../../protocol/rsp.ts';
import { type Client, malformed, type PacketHandler } from '../packet.ts';
import { pagingState } from '../paging-state.ts';

const SPACE = 1n << 64n;
/** Pages that are looked at for one answer; a client asks again where it ends. */
const MOST_PAGES = 1024;

interface Region {
  readonly start: bigint;
  readonly size: bigint;
  /** Undefined where nothing is mapped. */
  readonly permissions: string | undefined;
}

const info: PacketHandler = {
  name: 'qMemoryRegionInfo',
  handle(client, rest) {
    // lldb asks without an address whether the packet is known.
    if (rest === '' || rest === ':') return 'OK';
    const address = parseNumber(rest.slice(1));
    if (address === undefined) throw malformed('qMemoryRegionInfo');
    const { start, size, permissions } = around(client, address);
    const rights = permissions === undefined ? '' : `permissions:${permissions};`;
    return `start:${start.toString(16)};size:${size.toString(16)};${rights}`;
  },
};

function around(client: Client, address: bigint): Region {
  const first = at(client, address);
  let size = first.size;
  for (let pages = 1; pages < MOST_PAGES && first.start + size < SPACE; pages++) {
    const next = at(client, first.start + size);
    if (next.permissions !== first.permissions || next.start !== first.start + size) break;
    size += next.size;
  }
  return { ...first, size };
}

/** What the page, or the hole that one entry leaves, around `address` is. */
function at({ machine, vcpu }: Client, address: bigint): Region {
  const state = pagingState(vcpu);
  const read = (gpa: bigint, length: number) => machine.memory.read(gpa, length);
  if (pagingMode(state) === 'none') {
    const { size } = machine.memory;
    const mapped = address < BigInt(size);
    return mapped
      ? { start: 0n, size: BigInt(size), permissions: 'rwx' }
      : { start: BigInt(size), size: SPACE - BigInt(size), permissions: undefined };
  }
  const found = withReads(walk(state, address), read);
  if (found.result.kind === 'mapped') {
    const { size, flags } = found.result;
    const permissions = `r${flags.includes('W') ? 'w' : ''}${flags.includes('NX') ? '' : 'x'}`;
    return { start: found.address & -size, size, permissions };
  }
  return hole(found, address);
}

function hole({ steps, mode }: PageWalk, address: bigint): Region {
  const last = steps.at(-1);
  if (last) return { start: last.address, size: last.size, permissions: undefined };
  // Between the two canonical halves, or beyond 4 GiB outside long mode.
  const bits = { '5-level': 56n, '4-level': 47n }[mode as string];
  const start = bits === undefined ? 1n << 32n : 1n << bits;
  const end = bits === undefined ? SPACE : SPACE - (1n << bits);
  return { start: address < start ? address : start, size: end - start, permissions: undefined };
}

export const memoryRegionPackets: readonly PacketHandler[] = [info];
