/**
 * The event channels of a domain, by which Xen interrupts it: what each is bound to (struct evtchn, xen/include/xen/sched.h),
 * and whether it is pending and masked, as the two levels of bits in the shared info page or the array of event words of
 * FIFO event channels say (xen/include/public/event_channel.h).
 */
import type { Domain } from './first-domain.ts';
import { PAGE, WORD, XenError, type XenMemory } from './xen-memory.ts';

/** Where what a domain points to is looked for before its `evtchn_port_ops`: `evtchn`, behind which `evtchn_group` follows. */
const SEARCHED_BYTES = 128;
const BUCKETS_PER_GROUP = PAGE / WORD;
const MOST_GROUPS = 4;
/** Sizes that a struct evtchn may have. */
const STRIDES = [32, 64, 128] as const;
/** Ports that are read of a domain. */
const MOST_PORTS = 4096;

/** struct shared_info of a 64-bit domain. */
const SHARED = { pending: 0x800n, masked: 0xa00n, bytes: 512 };
/** struct evtchn_fifo_domain: pages of event words, and how many words there are. */
const FIFO = { arrays: 128, count: 1024, pending: 1 << 31, masked: 1 << 30, wordBytes: 4 };

/** ECS_... */
const STATES = ['free', 'reserved', 'unbound', 'interdomain', 'pirq', 'virq', 'ipi'] as const;
const FREE = 0;

export interface EventChannel {
  readonly port: number;
  readonly state: Exclude<(typeof STATES)[number], 'free'>;
  /** Of a pirq or virq its number, of an interdomain channel the other's port, of an unbound one the domain that may bind it. */
  readonly detail?: number;
  readonly pending: boolean;
  readonly masked: boolean;
}

export interface EventChannels {
  readonly abi: '2-level' | 'FIFO';
  /** Those in use, ascending. */
  readonly channels: readonly EventChannel[];
  /** Why there may be more. */
  readonly problem?: string;
}

/** Where a struct evtchn has its own port, and how long it is. */
interface Layout {
  readonly stride: number;
  readonly port: number;
}

/** Throws `XenError` where the domain's memory has no event channels as they are known. */
export async function eventChannels(memory: XenMemory, domain: Domain): Promise<EventChannels> {
  const structure = await memory.view(domain.address, PAGE);
  const fifo = find(structure, memory.addressesOf('evtchn_port_ops_fifo'));
  const operations = fifo ?? find(structure, memory.addressesOf('evtchn_port_ops_2l'));
  if (operations === undefined) throw unknownChannels();
  const bits =
    fifo === undefined
      ? await sharedBits(memory, domain.sharedInfo)
      : fifoBits(memory, structure.getBigUint64(fifo + WORD, true));
  const { at, layout } = await firstBucket(memory, structure, operations);
  const abi = fifo === undefined ? '2-level' : 'FIFO';
  const channels: EventChannel[] = [];
  const perBucket = PAGE / layout.stride;
  for (let first = 0; first < MOST_PORTS; first += perBucket) {
    const bucket = await bucketOf(memory, structure, at, first / perBucket);
    if (!bucket) return { abi, channels };
    for (let index = 0; index < perBucket; index++) {
      const channel = decode(bucket, index, layout);
      if (channel.port !== first + index) return { abi, channels, problem: 'The list of event channels is damaged.' };
      // Port 0 is nobody's.
      if (channel.state === undefined || channel.port === 0) continue;
      channels.push({ ...channel, state: channel.state, ...(await bits(channel.port)) });
    }
  }
  return { abi, channels, problem: `Only the first ${MOST_PORTS} ports are shown.` };
}

const unknownChannels = () =>
  new XenError('This Xen keeps its event channels in another way than those that Ringside knows.');

/** Where in a structure one of the addresses is pointed to. */
function find(structure: DataView, addresses: readonly bigint[]): number | undefined {
  for (let at = 0; at + 2 * WORD <= structure.byteLength; at += WORD) {
    if (addresses.includes(structure.getBigUint64(at, true))) return at;
  }
  return undefined;
}

/** The nearest pointer before `end` to an array of struct evtchn: each has its port, counted from 0. */
async function firstBucket(
  memory: XenMemory,
  structure: DataView,
  end: number,
): Promise<{ readonly at: number; readonly layout: Layout }> {
  for (let at = end - WORD; at >= Math.max(0, end - SEARCHED_BYTES); at -= WORD) {
    const bucket = await memory.mapped(structure.getBigUint64(at, true), PAGE);
    const layout = bucket && layoutOf(bucket);
    if (layout) return { at, layout };
  }
  throw unknownChannels();
}

function layoutOf(bucket: DataView): Layout | undefined {
  for (const stride of STRIDES) {
    for (let port = WORD; port + 2 * WORD <= stride; port += 4) {
      const isPort = (index: number) => bucket.getUint32(index * stride + port, true) === index;
      if (Array.from({ length: PAGE / stride }, (_, index) => index).every(isPort)) return { stride, port };
    }
  }
  return undefined;
}

/** The first bucket is pointed to from the domain at `at`, the others from the groups behind that. */
async function bucketOf(
  memory: XenMemory,
  structure: DataView,
  at: number,
  number: number,
): Promise<DataView | undefined> {
  if (number === 0) return memory.view(structure.getBigUint64(at, true), PAGE);
  const index = Math.floor(number / BUCKETS_PER_GROUP);
  const group = index < MOST_GROUPS ? structure.getBigUint64(at + WORD * (1 + index), true) : 0n;
  const bucket = group === 0n ? 0n : await memory.word(group + BigInt(WORD * (number % BUCKETS_PER_GROUP)));
  return bucket === 0n ? undefined : memory.view(bucket, PAGE);
}

function decode(bucket: DataView, index: number, { stride, port }: Layout) {
  const start = index * stride;
  const number = bucket.getUint8(start + port - 4);
  const state = number === FREE ? undefined : (STATES[number] as EventChannel['state'] | undefined);
  // A union with a pointer in it.
  const detail = start + Math.ceil((port + 4) / WORD) * WORD;
  const value =
    state === 'virq' || state === 'unbound'
      ? bucket.getUint16(detail, true)
      : state === 'pirq' || state === 'interdomain'
        ? bucket.getUint32(detail, true)
        : undefined;
  return { port: bucket.getUint32(start + port, true), state, ...(value !== undefined && { detail: value }) };
}

type Bits = (port: number) => Promise<Pick<EventChannel, 'pending' | 'masked'>>;

async function sharedBits(memory: XenMemory, sharedInfo: bigint): Promise<Bits> {
  const pending = await memory.view(sharedInfo + SHARED.pending, SHARED.bytes);
  const masked = await memory.view(sharedInfo + SHARED.masked, SHARED.bytes);
  const isSet = (bits: DataView, port: number) =>
    port < 8 * SHARED.bytes && (bits.getUint8(port >> 3) & (1 << (port & 7))) !== 0;
  return async (port) => ({ pending: isSet(pending, port), masked: isSet(masked, port) });
}

/** A port without an event word counts as masked. */
function fifoBits(memory: XenMemory, fifo: bigint): Bits {
  return async (port) => {
    const count = (await memory.view(fifo + BigInt(FIFO.count), 4)).getUint32(0, true);
    const perPage = PAGE / FIFO.wordBytes;
    const page = Math.floor(port / perPage);
    if (port >= count || page >= FIFO.arrays) return { pending: false, masked: true };
    const array = await memory.word(fifo + BigInt(WORD * page));
    const word = (await memory.view(array + BigInt(FIFO.wordBytes * (port % perPage)), FIFO.wordBytes)).getInt32(
      0,
      true,
    );
    return { pending: (word & FIFO.pending) !== 0, masked: (word & FIFO.masked) !== 0 };
  };
}
