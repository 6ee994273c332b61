/**
 * A Motorola MC146818 clock with 128 bytes of CMOS memory (datasheet MC146818, registers A to D; PC/AT addresses). It
 * shows the host's time in UTC; a guest that sets the time changes its own view of it.
 */
import { fromBcd, toBcd } from './bcd.ts';
import { byteRegisters, describeBytes } from './byte-registers.ts';
import type { DeviceModel, PortHandler } from './device.ts';
import { RtcInterrupts, type RtcTime } from './rtc-interrupts.ts';
import { REGISTER_A, REGISTER_B, REGISTER_C, REGISTER_D } from './rtc-registers.ts';

const INDEX = 0x70;
const DATA = 0x71;
/** Bit 7 of the index port masks the NMI on a PC and is no part of the index. */
const INDEX_BITS = 0x7f;

const CENTURY = 0x32;

/** 32,768 Hz time base, 1,024 Hz rate. */
const A_DEFAULT = 0x26;
const A_UPDATE_IN_PROGRESS = 1 << 7;
const B_SET = 1 << 7;
const B_BINARY = 1 << 2;
const B_24_HOURS = 1 << 1;
const D_VALID = 1 << 7;
const PM = 1 << 7;
/** UIP is set for this long before the second changes (datasheet: 244 + 1,984 µs). */
const UPDATE_MILLISECONDS = 2.228;

const FIELD = {
  second: 0x00,
  minute: 0x02,
  hour: 0x04,
  weekday: 0x06,
  day: 0x07,
  month: 0x08,
  year: 0x09,
  century: CENTURY,
};
const timeRegisters: readonly number[] = Object.values(FIELD);
const ALARM = { second: 0x01, minute: 0x03, hour: 0x05 };
/** These bits both set in an alarm register: any value will do. */
const ANY = 0xc0;

/** Layout of the shared state: CMOS bytes, the index, the guest's clock minus the host's, what the interrupts need. */
const AT = { cmos: 0, index: 128, offset: 136, second: 144, period: 152 };

/** Where firmware leaves the memory size, in KiB or 64 KiB, little-endian. */
const PROCESSORS_BEHIND_FIRST = 0x5f;
/** Where QEMU tells SeaBIOS which kinds of drives to boot from, a nibble each, first kind lowest. */
const BOOT_ORDER = 0x3d;
const HARD_DISK = 2;
const MEMORY = { base: 0x15, extended: 0x17, extendedAlias: 0x30, above16M: 0x34, above4G: 0x5b };

export interface RtcConfiguration {
  /** Bytes of RAM below and above 4 GiB. */
  readonly memoryBelow4G: number;
  readonly memoryAbove4G: number;
  readonly cpus: number;
  /** Milliseconds since 1970; the host's clock unless a test has its own. */
  readonly clock?: () => number;
}

export interface RtcHandler extends PortHandler {
  /** Has its interrupt line as it must be now, under the bus lock; milliseconds until it may be again, undefined for never. */
  look(): number | undefined;
}

/** The main thread is woken whenever the guest changes what it is to be interrupted for. */
export function rtcCmos(configuration: RtcConfiguration): DeviceModel<RtcHandler> {
  const { memoryBelow4G, memoryAbove4G, cpus, clock = Date.now } = configuration;
  return {
    name: 'rtc-cmos',
    ports: [{ first: INDEX, last: DATA }],
    register: (port) => (port === INDEX ? 'index' : 'data'),
    stateBytes: 160,
    reset(state) {
      state.setUint8(REGISTER_A, A_DEFAULT);
      state.setUint8(REGISTER_B, B_24_HOURS);
      state.setFloat64(AT.second, Math.floor(clock() / 1000), true);
      writeMemorySize(state, memoryBelow4G, memoryAbove4G);
      state.setUint8(AT.cmos + PROCESSORS_BEHIND_FIRST, cpus - 1);
      state.setUint8(AT.cmos + BOOT_ORDER, HARD_DISK);
    },
    describe: (state) => [
      ...describeBytes(state, { index: AT.index, A: REGISTER_A, B: REGISTER_B, C: REGISTER_C }),
      ...describeBytes(state, { seconds: FIELD.second, minutes: FIELD.minute, hours: FIELD.hour }),
      ...describeBytes(state, { day: FIELD.day, month: FIELD.month, year: FIELD.year, century: FIELD.century }),
    ],
    attach(state, host) {
      const rtc = new Rtc(state, clock);
      const interrupts = new RtcInterrupts({ state, second: AT.second, period: AT.period }, host, rtc);
      const registers = byteRegisters(INDEX, DATA, {
        read(port) {
          if (port === INDEX) return 0xff;
          const register = state.getUint8(AT.index);
          return register === REGISTER_C ? interrupts.take() : rtc.read(register);
        },
        write(port, value) {
          const register = state.getUint8(AT.index);
          if (port === INDEX) state.setUint8(AT.index, value & INDEX_BITS);
          else {
            rtc.write(register, value);
            if (register === REGISTER_B) interrupts.look();
            if (register === REGISTER_A || register === REGISTER_B) host.wake();
          }
        },
      });
      return { ...registers, look: () => interrupts.look() };
    },
  };
}

function writeMemorySize(state: DataView, below4G: number, above4G: number): void {
  const mib = 1024 * 1024;
  const units = (bytes: number, unit: number, most: number) => Math.min(Math.max(Math.floor(bytes / unit), 0), most);
  state.setUint16(AT.cmos + MEMORY.base, 640, true);
  for (const at of [MEMORY.extended, MEMORY.extendedAlias]) {
    state.setUint16(AT.cmos + at, units(below4G - mib, 1024, 0xffff), true);
  }
  state.setUint16(AT.cmos + MEMORY.above16M, units(below4G - 16 * mib, 65_536, 0xffff), true);
  const high = units(above4G, 65_536, 0xff_ffff);
  state.setUint16(AT.cmos + MEMORY.above4G, high & 0xffff, true);
  state.setUint8(AT.cmos + MEMORY.above4G + 2, high >> 16);
}

class Rtc implements RtcTime {
  constructor(
    private readonly state: DataView,
    private readonly clock: () => number,
  ) {}

  read(register: number): number {
    if (register === REGISTER_A) return this.#readA();
    if (register === REGISTER_D) return D_VALID;
    if (!this.stands && timeRegisters.includes(register)) this.#latchTime();
    return this.state.getUint8(register);
  }

  write(register: number, value: number): void {
    if (register === REGISTER_C || register === REGISTER_D) return;
    const isTime = timeRegisters.includes(register);
    const wasSet = this.stands;
    if ((isTime || register === REGISTER_B) && !wasSet) this.#latchTime();
    this.state.setUint8(register, register === REGISTER_A ? value & ~A_UPDATE_IN_PROGRESS : value);
    if (isTime && !wasSet) this.#adoptTime();
    if (register === REGISTER_B && wasSet && !this.stands) this.#adoptTime();
  }

  get alarm(): RtcTime['alarm'] {
    const { hour, minute, second } = ALARM;
    const set = (register: number, decode: (value: number) => number) => {
      const value = this.state.getUint8(register);
      return (value & ANY) === ANY ? undefined : decode(value);
    };
    return {
      hour: set(hour, (value) => this.#decodeHour(value)),
      minute: set(minute, (value) => this.#decode(value)),
      second: set(second, (value) => this.#decode(value)),
    };
  }

  /** Its registers stand still meanwhile. */
  get stands(): boolean {
    return (this.state.getUint8(REGISTER_B) & B_SET) !== 0;
  }

  get now(): number {
    return this.clock() + this.state.getFloat64(AT.offset, true);
  }

  get inSecond(): number {
    return ((this.now % 1000) + 1000) % 1000;
  }

  #readA(): number {
    const updating = !this.stands && this.inSecond >= 1000 - UPDATE_MILLISECONDS;
    return this.state.getUint8(REGISTER_A) | (updating ? A_UPDATE_IN_PROGRESS : 0);
  }

  #latchTime(): void {
    const time = new Date(this.now);
    const year = time.getUTCFullYear();
    const put = (register: number, value: number) => this.state.setUint8(register, this.#encode(value));
    put(FIELD.second, time.getUTCSeconds());
    put(FIELD.minute, time.getUTCMinutes());
    put(FIELD.weekday, time.getUTCDay() + 1);
    put(FIELD.day, time.getUTCDate());
    put(FIELD.month, time.getUTCMonth() + 1);
    put(FIELD.year, year % 100);
    put(FIELD.century, Math.floor(year / 100));
    this.state.setUint8(FIELD.hour, this.#encodeHour(time.getUTCHours()));
  }

  #adoptTime(): void {
    const get = (register: number) => this.#decode(this.state.getUint8(register));
    const year = get(FIELD.century) * 100 + get(FIELD.year);
    const hour = this.#decodeHour(this.state.getUint8(FIELD.hour));
    const time = new Date(0);
    time.setUTCFullYear(year, get(FIELD.month) - 1, get(FIELD.day));
    time.setUTCHours(hour, get(FIELD.minute), get(FIELD.second));
    this.state.setFloat64(AT.offset, time.getTime() - this.clock(), true);
    // What the clock has jumped over has not gone by.
    this.state.setFloat64(AT.second, Math.floor(this.now / 1000), true);
  }

  get #binary(): boolean {
    return (this.state.getUint8(REGISTER_B) & B_BINARY) !== 0;
  }

  #encode(value: number): number {
    return this.#binary ? value : toBcd(value);
  }

  #decode(value: number): number {
    return this.#binary ? value : fromBcd(value);
  }

  #encodeHour(hour: number): number {
    if (this.state.getUint8(REGISTER_B) & B_24_HOURS) return this.#encode(hour);
    return this.#encode(hour % 12 || 12) | (hour >= 12 ? PM : 0);
  }

  #decodeHour(value: number): number {
    if (this.state.getUint8(REGISTER_B) & B_24_HOURS) return this.#decode(value);
    return (this.#decode(value & ~PM) % 12) + (value & PM ? 12 : 0);
  }
}
