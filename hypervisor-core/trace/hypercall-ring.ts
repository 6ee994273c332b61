/**
 * The last hypercalls of a machine in shared memory: vCPU workers write, the main thread reads. Fixed records in one ring;
 * a writer takes the next sequence number with one atomic add, claims the record, and marks it complete at the end, so a
 * reader never sees half a record. Writers wait for each other only where one was put to sleep while the others went all
 * around the ring. What is overwritten unread is counted.
 */
import { type HypercallAbiName, type HypercallEvent, MAX_ARGUMENTS } from '../protocol/hypercall-event.ts';

/** Records kept. */
const HYPERCALL_CAPACITY = 1 << 17;

/** Milliseconds between two looks at a record that another writer is not done with: nobody is woken when it is. */
const WRITER_PATIENCE = 1;

const HEADER_BYTES = 8;
const TEXT_BYTES = 64;
/** Layout of a record; `complete` is the sequence number plus 1, negative while its writer is not done. */
const AT = {
  complete: 0,
  time: 8,
  duration: 16,
  rip: 24,
  caller: 32,
  number: 40,
  result: 48,
  arguments: 56,
  vcpu: 104,
  cpl: 106,
  abi: 107,
  flags: 108,
  argumentCount: 109,
  textLength: 110,
  text: 112,
};
const RECORD_BYTES = AT.text + TEXT_BYTES;
const FLAG_CALLER = 1;
const FLAG_TEXT = 2;
const FLAG_RESULT = 4;
const FLAG_DURATION = 8;

const abis: readonly HypercallAbiName[] = ['kvm', 'xen', 'hyperv'];

/** Bytes of shared memory; untouched pages cost nothing. */
export const hypercallRingBytes = (capacity = HYPERCALL_CAPACITY): number => HEADER_BYTES + capacity * RECORD_BYTES;

export interface HypercallReading {
  readonly events: readonly { readonly sequence: number; readonly event: HypercallEvent }[];
  /** Records from the asked-for one on that were overwritten before they could be read. */
  readonly dropped: number;
  /** Calls made so far. */
  readonly total: number;
}

/** One view of the ring; any thread may write, each reader keeps its own place. */
export class HypercallRing {
  readonly #next: BigInt64Array;
  readonly #complete: BigInt64Array;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  /** `offset` is a multiple of 8; the memory is zeroed when the machine is made. */
  constructor(
    memory: SharedArrayBuffer,
    offset = 0,
    private readonly capacity = HYPERCALL_CAPACITY,
  ) {
    this.#next = new BigInt64Array(memory, offset, 1);
    const records = offset + HEADER_BYTES;
    this.#complete = new BigInt64Array(memory, records, (capacity * RECORD_BYTES) / 8);
    this.#view = new DataView(memory, records, capacity * RECORD_BYTES);
    this.#bytes = new Uint8Array(memory, records, capacity * RECORD_BYTES);
  }

  /** Calls recorded so far. */
  get total(): number {
    return Number(Atomics.load(this.#next, 0));
  }

  add(event: HypercallEvent): void {
    const sequence = Atomics.add(this.#next, 0, 1n);
    const at = Number(sequence % BigInt(this.capacity)) * RECORD_BYTES;
    if (!this.#claim(at / 8, sequence + 1n)) return;
    this.#write(at, event);
    Atomics.store(this.#complete, at / 8, sequence + 1n);
  }

  /** Makes a record this writer's alone; false when it has become a later writer's, and the event is overwritten already. */
  #claim(word: number, own: bigint): boolean {
    for (;;) {
      const before = Atomics.load(this.#complete, word);
      if (before > own) return false;
      if (before < 0n) Atomics.wait(this.#complete, word, before, WRITER_PATIENCE);
      else if (Atomics.compareExchange(this.#complete, word, before, -own) === before) return true;
    }
  }

  /** Complete records with sequence numbers from `from` on, oldest first, at most `limit`. */
  read(from: number, limit: number): HypercallReading {
    const total = this.total;
    const oldest = Math.max(0, total - this.capacity);
    const events: { sequence: number; event: HypercallEvent }[] = [];
    let first = Math.max(from, oldest);
    for (let sequence = first; sequence < total && events.length < limit; sequence++) {
      const event = this.#readAt(sequence);
      if (event === 'unfinished') break;
      if (event === 'overwritten') {
        // The writers overtook us; all that was read before it would leave a gap.
        events.length = 0;
        first = sequence + 1;
      } else {
        events.push({ sequence, event });
      }
    }
    return { events, dropped: Math.max(0, first - from), total };
  }

  #readAt(sequence: number): HypercallEvent | 'unfinished' | 'overwritten' {
    const at = (sequence % this.capacity) * RECORD_BYTES;
    const expected = BigInt(sequence + 1);
    const state = () => {
      const complete = Atomics.load(this.#complete, at / 8);
      if (complete === expected) return 'complete';
      // A slot that a later writer has begun to fill is as one whose own writer is not done yet.
      return complete > expected || this.total > sequence + this.capacity ? 'overwritten' : 'unfinished';
    };
    const before = state();
    if (before !== 'complete') return before;
    const event = this.#parse(at);
    const after = state();
    return after === 'complete' ? event : 'overwritten';
  }

  #write(at: number, event: HypercallEvent): void {
    const view = this.#view;
    view.setFloat64(at + AT.time, event.time, true);
    view.setFloat64(at + AT.duration, event.duration ?? 0, true);
    view.setBigUint64(at + AT.rip, event.rip, true);
    view.setBigUint64(at + AT.caller, event.caller ?? 0n, true);
    view.setBigUint64(at + AT.number, event.number, true);
    view.setBigUint64(at + AT.result, event.result ?? 0n, true);
    const count = Math.min(event.arguments.length, MAX_ARGUMENTS);
    for (let index = 0; index < count; index++) {
      view.setBigUint64(at + AT.arguments + index * 8, event.arguments[index] ?? 0n, true);
    }
    view.setUint16(at + AT.vcpu, event.vcpu, true);
    view.setUint8(at + AT.cpl, event.cpl);
    view.setUint8(at + AT.abi, abis.indexOf(event.abi));
    view.setUint8(at + AT.argumentCount, count);
    view.setUint8(
      at + AT.flags,
      (event.caller !== undefined ? FLAG_CALLER : 0) |
        (event.text !== undefined ? FLAG_TEXT : 0) |
        (event.result !== undefined ? FLAG_RESULT : 0) |
        (event.duration !== undefined ? FLAG_DURATION : 0),
    );
    view.setUint16(at + AT.textLength, this.#writeText(at + AT.text, event.text ?? ''), true);
  }

  #writeText(at: number, text: string): number {
    const encoded = new TextEncoder().encode(text);
    let length = Math.min(encoded.length, TEXT_BYTES);
    // A character that does not fit whole is left out.
    if (length < encoded.length) while (length > 0 && ((encoded[length] ?? 0) & 0xc0) === 0x80) length--;
    this.#bytes.set(encoded.subarray(0, length), at);
    return length;
  }

  #parse(at: number): HypercallEvent {
    const view = this.#view;
    const flags = view.getUint8(at + AT.flags);
    const text = this.#bytes.slice(
      at + AT.text,
      at + AT.text + Math.min(view.getUint16(at + AT.textLength, true), TEXT_BYTES),
    );
    return {
      time: view.getFloat64(at + AT.time, true),
      rip: view.getBigUint64(at + AT.rip, true),
      number: view.getBigUint64(at + AT.number, true),
      vcpu: view.getUint16(at + AT.vcpu, true),
      cpl: view.getUint8(at + AT.cpl),
      abi: abis[view.getUint8(at + AT.abi)] ?? 'kvm',
      arguments: Array.from({ length: Math.min(view.getUint8(at + AT.argumentCount), MAX_ARGUMENTS) }, (_, index) =>
        view.getBigUint64(at + AT.arguments + index * 8, true),
      ),
      ...(flags & FLAG_CALLER && { caller: view.getBigUint64(at + AT.caller, true) }),
      ...(flags & FLAG_RESULT && { result: view.getBigUint64(at + AT.result, true) }),
      ...(flags & FLAG_DURATION && { duration: view.getFloat64(at + AT.duration, true) }),
      ...(flags & FLAG_TEXT && { text: new TextDecoder().decode(text) }),
    };
  }
}
