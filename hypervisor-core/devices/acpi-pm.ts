/**
 * The fixed hardware of ACPI (ACPI 6.3, 4.8.3) at the ports where QEMU has it: PM1 event and control registers, and the
 * power management timer. The guest powers off by them. No event is wired to the SCI.
 */
import { hex } from '../protocol/hex.ts';
import { byteRegisters } from './byte-registers.ts';
import type { DeviceHost, DeviceModel } from './device.ts';

/** First ports of the register blocks, for the FADT, and the SCI's interrupt line. */
export const ACPI_PM = { event: 0x600, control: 0x604, timer: 0x608, sci: 9 } as const;
const LAST = ACPI_PM.timer + 3;
/** Where Bochs and old QEMU have PM1_CNT; kernels without an AML interpreter write to either. */
const OLD_CONTROL = 0xb004;

/** Bits of PM1_CNT. The machine is in ACPI mode from the start; the one sleep state that it has is off. */
const SCI_EN = 1 << 0;
const SLP_EN = 1 << 13;
/** Bits of PM1_STS: the timer's top bit has changed. */
const TMR_STS = 1 << 0;

const TIMER_MHZ = 3.579545;
const TIMER_BITS = 24;

/** Layout of the shared state; `epoch` counts changes of the timer's top bit already told. */
const AT = { status: 0, enable: 2, control: 4, epoch: 8 };

export const acpiPm: DeviceModel = {
  name: 'acpi-pm',
  ports: [
    { first: ACPI_PM.event, last: LAST },
    { first: OLD_CONTROL, last: OLD_CONTROL + 1 },
  ],
  stateBytes: 16,
  reset(state) {
    state.setUint16(AT.control, SCI_EN, true);
  },
  attach(state, host) {
    const pm = new PowerManagement(state, host);
    const registers = {
      read: (port: number) => pm.read(port),
      write: (port: number, value: number) => pm.write(port, value),
    };
    const current = byteRegisters(ACPI_PM.event, LAST, registers);
    const old = byteRegisters(OLD_CONTROL, OLD_CONTROL + 1, {
      read: (port) => pm.read(port - OLD_CONTROL + ACPI_PM.control),
      write: (port, value) => pm.write(port - OLD_CONTROL + ACPI_PM.control, value),
    });
    const at = (port: number) => (port < OLD_CONTROL ? current : old);
    return {
      // The timer is read whole: its bytes must belong together.
      in: (port, size) => (port === ACPI_PM.timer && size === 4 ? pm.timer : at(port).in(port, size)),
      out: (port, size, value) => at(port).out(port, size, value),
    };
  },
  describe: (state) =>
    Object.entries({ PM1_STS: AT.status, PM1_EN: AT.enable, PM1_CNT: AT.control }).map(([name, at]) => ({
      name,
      value: hex(state.getUint16(at, true)),
    })),
};

class PowerManagement {
  constructor(
    private readonly state: DataView,
    private readonly host: DeviceHost,
  ) {}

  /** Ticks of 3.579545 MHz, 24 bits. */
  get timer(): number {
    return this.#ticks % 2 ** TIMER_BITS;
  }

  read(port: number): number {
    if (port >= ACPI_PM.timer) return (this.timer >> ((port - ACPI_PM.timer) * 8)) & 0xff;
    this.#noteTimer();
    const at = port - ACPI_PM.event;
    return at < 6 ? this.state.getUint8(at) : 0;
  }

  write(port: number, value: number): void {
    this.#noteTimer();
    const at = port - ACPI_PM.event;
    // Status bits are cleared by writing ones.
    if (at < AT.enable) this.state.setUint8(at, this.state.getUint8(at) & ~value);
    else if (at < AT.control) this.state.setUint8(at, value);
    else if (at < AT.control + 2) this.#control(at, value);
  }

  /** A kernel that measures its TSC by this timer would take a pause for a processor many times as fast. */
  get #ticks(): number {
    return Math.floor(this.host.elapsed() * TIMER_MHZ);
  }

  #noteTimer(): void {
    const epoch = Math.floor(this.#ticks / 2 ** (TIMER_BITS - 1)) >>> 0;
    if (epoch === this.state.getUint32(AT.epoch, true)) return;
    this.state.setUint32(AT.epoch, epoch, true);
    this.state.setUint16(AT.status, this.state.getUint16(AT.status, true) | TMR_STS, true);
  }

  #control(at: number, value: number): void {
    this.state.setUint8(at, value);
    const control = this.state.getUint16(AT.control, true);
    // SLP_EN reads as zero.
    this.state.setUint16(AT.control, (control & ~SLP_EN) | SCI_EN, true);
    if (control & SLP_EN) {
      this.host.end({ cause: 'power-off', exitStatus: 0, message: 'The guest switched the machine off.' });
    }
  }
}
