/**
 * Interrupts of the MC146818 (datasheet, registers A to C): periodic, alarm and update-ended. Their flags are worked out
 * from the time that has gone by whenever somebody looks; line 8 rises with the first flag that is enabled and falls when the
 * guest reads register C. Who has a thread for it calls {@link RtcInterrupts.look} when something may be due.
 */
import type { DeviceHost } from './device.ts';
import { REGISTER_A, REGISTER_B, REGISTER_C } from './rtc-registers.ts';

const LINE = 8;

/** In registers B, where they enable, and C, where they tell. */
const UPDATE_ENDED = 1 << 4;
const ALARM = 1 << 5;
const PERIODIC = 1 << 6;
const ALL = UPDATE_ENDED | ALARM | PERIODIC;
const REQUEST = 1 << 7;

const DAY = 86_400;

/** The clock whose interrupts these are. */
export interface RtcTime {
  /** Milliseconds since 1970, and of the second at hand. */
  readonly now: number;
  readonly inSecond: number;
  /** The guest is setting it. */
  readonly stands: boolean;
  /** The alarm; parts that do not matter are undefined. */
  readonly alarm: {
    readonly hour: number | undefined;
    readonly minute: number | undefined;
    readonly second: number | undefined;
  };
}

/** Where the state has room: the second and the period that were last seen, two numbers of 64 bits. */
export interface RtcInterruptState {
  readonly state: DataView;
  readonly second: number;
  readonly period: number;
}

export class RtcInterrupts {
  readonly #at: RtcInterruptState;
  readonly #host: Pick<DeviceHost, 'now' | 'setIrq'>;
  readonly #time: RtcTime;

  constructor(at: RtcInterruptState, host: Pick<DeviceHost, 'now' | 'setIrq'>, time: RtcTime) {
    this.#at = at;
    this.#host = host;
    this.#time = time;
  }

  /** Register C for the guest, whose reading clears it. */
  take(): number {
    this.#update();
    const flags = this.#flags;
    this.#flags = 0;
    this.#host.setIrq(LINE, false);
    return flags | ((flags & this.#enabled) !== 0 ? REQUEST : 0);
  }

  /** Has the line as it must be now; gives the milliseconds until it may be again, undefined while none is enabled. */
  look(): number | undefined {
    this.#update();
    this.#host.setIrq(LINE, (this.#flags & this.#enabled) !== 0);
    if (this.#enabled === 0) return undefined;
    const untilSecond = 1000 - this.#time.inSecond;
    const period = this.#period;
    if ((this.#enabled & PERIODIC) === 0 || period === undefined) return untilSecond;
    return Math.min(untilSecond, (period - (this.#host.now() % period)) / 1000);
  }

  #update(): void {
    const { now, stands } = this.#time;
    const second = Math.floor(now / 1000);
    const seconds = second - this.#second;
    if (seconds !== 0 && !stands) {
      this.#flags |= UPDATE_ENDED;
      if (seconds > 0 && this.#alarmIn(second, Math.min(seconds, DAY))) this.#flags |= ALARM;
      this.#second = second;
    }
    const period = this.#period;
    const count = period === undefined ? 0 : Math.floor(this.#host.now() / period);
    if (period !== undefined && count !== this.#count) this.#flags |= PERIODIC;
    this.#count = count;
  }

  /** True when the alarm was set for one of the `seconds` up to `last`. */
  #alarmIn(last: number, seconds: number): boolean {
    const { hour, minute, second } = this.#time.alarm;
    for (let at = last - seconds + 1; at <= last; at++) {
      const ofDay = ((at % DAY) + DAY) % DAY;
      const fits = (wanted: number | undefined, value: number) => wanted === undefined || wanted === value;
      const [minutes, hours] = [Math.floor(ofDay / 60) % 60, Math.floor(ofDay / 3600)];
      if (fits(second, ofDay % 60) && fits(minute, minutes) && fits(hour, hours)) return true;
    }
    return false;
  }

  /** Microseconds of the periodic interrupt by the rate in register A, at its usual time base; undefined when it is off. */
  get #period(): number | undefined {
    const rate = this.#at.state.getUint8(REGISTER_A) & 0xf;
    if (rate === 0) return undefined;
    // The two lowest rates stand for others at this time base.
    return (1_000_000 / 65_536) * 2 ** (rate <= 2 ? rate + 7 : rate);
  }

  get #enabled(): number {
    return this.#at.state.getUint8(REGISTER_B) & ALL;
  }

  get #flags(): number {
    return this.#at.state.getUint8(REGISTER_C);
  }

  set #flags(flags: number) {
    this.#at.state.setUint8(REGISTER_C, flags);
  }

  get #second(): number {
    return this.#at.state.getFloat64(this.#at.second, true);
  }

  set #second(second: number) {
    this.#at.state.setFloat64(this.#at.second, second, true);
  }

  get #count(): number {
    return this.#at.state.getFloat64(this.#at.period, true);
  }

  set #count(count: number) {
    this.#at.state.setFloat64(this.#at.period, count, true);
  }
}
