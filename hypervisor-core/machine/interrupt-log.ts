/**
 * The last interrupts that this program has asked the controllers in KVM for, and how many of each vector, in memory that all
 * threads share. It has no lock of its own: whoever raises interrupts holds the devices' lock.
 */
import type { LineRoute } from '../interrupts/line-route.ts';
import { decodeMessage, vectorOf } from '../interrupts/message.ts';
import { hex, parseHex } from '../protocol/hex.ts';
import type { InterruptOutcome, InterruptRecord, InterruptLog as LogReading } from '../protocol/inspect.ts';

const CAPACITY = 1024;
const VECTORS = 256;

/** Layout: how many were written down, how many of each vector, and a ring of records. */
const COUNTS = 8;
const RECORDS = COUNTS + VECTORS * 8;
/** `value` is an I/O APIC's redirection entry or a message's address; 0xffff stands for no PIC's vector. */
const AT = { time: 0, value: 8, data: 16, source: 20, line: 21, outcome: 22, device: 23, picVector: 24 };
const RECORD_BYTES = 32;
const NO_VECTOR = 0xffff;

const sources: readonly InterruptRecord['source'][] = ['line', 'message', 'hypercall', 'user'];
const outcomes: readonly InterruptOutcome[] = ['requested', 'merged', 'masked', 'lost'];

export const INTERRUPT_LOG_BYTES = RECORDS + CAPACITY * RECORD_BYTES;

export class InterruptLog {
  readonly #view: DataView;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#view = new DataView(memory, offset, INTERRUPT_LOG_BYTES);
  }

  /** `device`: its place among the models. `outcome` is what KVM_IRQ_LINE_STATUS says. */
  line(time: number, device: number, line: number, { pin, picVector }: LineRoute, outcome: number): void {
    const view = this.#view;
    const at = this.#begin(time, 'line', outcome > 0 ? 'requested' : outcome === 0 ? 'merged' : 'masked');
    view.setBigUint64(at + AT.value, pin ? parseHex(pin.raw) : 0n, true);
    view.setUint8(at + AT.line, line);
    view.setUint8(at + AT.device, device);
    view.setUint16(at + AT.picVector, picVector ?? NO_VECTOR, true);
    if (outcome <= 0) return;
    this.#count(pin && vectorOf(pin));
    this.#count(picVector);
  }

  message(time: number, source: Exclude<InterruptRecord['source'], 'line'>, message: Message): void {
    const { address, data, taken } = message;
    const at = this.#begin(time, source, taken ? 'requested' : 'lost');
    this.#view.setBigUint64(at + AT.value, address, true);
    this.#view.setUint32(at + AT.data, data, true);
    if (taken) this.#count(vectorOf(decodeMessage(address, data)));
  }

  /** `device` names one by its place among the models. */
  read(limit: number, device: (place: number) => string | undefined): Omit<LogReading, 'time'> {
    const { total } = this;
    const kept = Math.min(total, CAPACITY, limit);
    return {
      total,
      records: Array.from({ length: kept }, (_, index) => this.#record(total - kept + index, device)),
      counts: Array.from({ length: VECTORS }, (_, vector) => ({ vector, count: this.#counted(vector) })).filter(
        ({ count }) => count > 0,
      ),
    };
  }

  /** The guest begins anew, or goes back to another time. */
  clear(): void {
    new Uint8Array(this.#view.buffer, this.#view.byteOffset, this.#view.byteLength).fill(0);
  }

  get total(): number {
    return this.#view.getFloat64(0, true);
  }

  #begin(time: number, source: InterruptRecord['source'], outcome: InterruptOutcome): number {
    const { total } = this;
    const at = placeOf(total);
    this.#view.setFloat64(0, total + 1, true);
    this.#view.setFloat64(at + AT.time, time, true);
    this.#view.setUint8(at + AT.source, sources.indexOf(source));
    this.#view.setUint8(at + AT.outcome, outcomes.indexOf(outcome));
    return at;
  }

  #counted(vector: number): number {
    return this.#view.getFloat64(COUNTS + vector * 8, true);
  }

  #count(vector: number | undefined): void {
    if (vector !== undefined) this.#view.setFloat64(COUNTS + vector * 8, this.#counted(vector) + 1, true);
  }

  #record(sequence: number, device: (place: number) => string | undefined): InterruptRecord {
    const view = this.#view;
    const at = placeOf(sequence);
    const source = sources[view.getUint8(at + AT.source)] ?? 'line';
    const record = {
      ...{ sequence, source, time: view.getFloat64(at + AT.time, true) },
      outcome: outcomes[view.getUint8(at + AT.outcome)] ?? 'requested',
    };
    const value = view.getBigUint64(at + AT.value, true);
    if (source !== 'line') return { ...record, address: hex(value), data: view.getUint32(at + AT.data, true) };
    const name = device(view.getUint8(at + AT.device));
    const picVector = view.getUint16(at + AT.picVector, true);
    return {
      ...{ ...record, line: view.getUint8(at + AT.line) },
      ...(name !== undefined && { device: name }),
      ...(value !== 0n && { ioapicEntry: hex(value) }),
      ...(picVector !== NO_VECTOR && { picVector }),
    };
  }
}

interface Message {
  readonly address: bigint;
  readonly data: number;
  /** By a local APIC. */
  readonly taken: boolean;
}

const placeOf = (sequence: number) => RECORDS + (sequence % CAPACITY) * RECORD_BYTES;
