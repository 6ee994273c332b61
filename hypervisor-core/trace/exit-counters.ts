/**
 * Exits of one vCPU counted by reason, by what was accessed and by RIP, with the time that user space took for them: a hash
 * table of fixed size in shared memory. Its vCPU's worker alone writes, without allocation or a lock; anybody reads, and
 * may see a count that is one ahead of its time. What finds no room is counted together, by kind.
 */
import type { ExitReason } from '../protocol/inspect.ts';
import { EXIT_REASONS } from './exit-reasons.ts';

const SLOTS = 4096;
/** Slots looked at before an entry counts as one of the rest. */
const PROBES = 16;
/** One more slot for the rest of each kind. */
const KINDS = ['reason', 'place', 'rip'] as const;
const ALL_SLOTS = SLOTS + KINDS.length;

/** Words of a slot, of 32 bits and, from `count` on, of 64. */
const WORD = { tag: 0, low: 1, high: 2 } as const;
const WORDS = 8;
const NUMBER = { count: 2, time: 3 } as const;
const NUMBERS = 4;

/** Bytes of the counters of one vCPU. */
export const EXIT_COUNTERS_BYTES = ALL_SLOTS * NUMBERS * 8;

type Kind = (typeof KINDS)[number];

export interface ExitCount {
  readonly kind: Kind;
  /** Undefined for the rest, which found no room. */
  readonly reason: ExitReason | undefined;
  /** Port, guest-physical address, MSR or RIP; 0 for a reason. */
  readonly key: bigint;
  readonly count: number;
  /** Microseconds that user space took. */
  readonly time: number;
}

export class ExitCounters {
  readonly #words: Uint32Array;
  readonly #numbers: Float64Array;

  /** `offset` is a multiple of 8; the memory is zero at first. */
  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#words = new Uint32Array(memory, offset, ALL_SLOTS * WORDS);
    this.#numbers = new Float64Array(memory, offset, ALL_SLOTS * NUMBERS);
  }

  /** Counts one exit; `key` in two halves, because numbers of 64 bits would have to be allocated. */
  add(kind: Kind, reason: number, low: number, high: number, time: number): void {
    const numbers = this.#slot(KINDS.indexOf(kind), reason, low, high) * NUMBERS;
    this.#numbers[numbers + NUMBER.count] = (this.#numbers[numbers + NUMBER.count] ?? 0) + 1;
    this.#numbers[numbers + NUMBER.time] = (this.#numbers[numbers + NUMBER.time] ?? 0) + time;
  }

  read(): ExitCount[] {
    const counts: ExitCount[] = [];
    for (let slot = 0; slot < ALL_SLOTS; slot++) {
      const count = this.#numbers[slot * NUMBERS + NUMBER.count] ?? 0;
      if (count === 0) continue;
      const tag = this.#words[slot * WORDS + WORD.tag] ?? 0;
      const word = (name: keyof typeof WORD) => BigInt(this.#words[slot * WORDS + WORD[name]] ?? 0);
      const kind = slot < SLOTS ? KINDS[tag >> 8] : KINDS[slot - SLOTS];
      if (!kind) continue;
      counts.push({
        kind,
        reason: slot < SLOTS ? EXIT_REASONS[(tag & 0xff) - 1] : undefined,
        key: (word('high') << 32n) | word('low'),
        count,
        time: this.#numbers[slot * NUMBERS + NUMBER.time] ?? 0,
      });
    }
    return counts;
  }

  #slot(kind: number, reason: number, low: number, high: number): number {
    const tag = (kind << 8) | (reason + 1);
    const words = this.#words;
    let slot = (Math.imul(low ^ Math.imul(high, 31) ^ (tag << 20), 0x9e37_79b1) >>> 20) % SLOTS;
    for (let probe = 0; probe < PROBES; probe++) {
      const at = slot * WORDS;
      if (words[at + WORD.tag] === tag && words[at + WORD.low] === low && words[at + WORD.high] === high) return slot;
      if (words[at + WORD.tag] === 0) {
        words[at + WORD.low] = low;
        words[at + WORD.high] = high;
        words[at + WORD.tag] = tag;
        return slot;
      }
      slot = (slot + 1) % SLOTS;
    }
    return SLOTS + kind;
  }
}
