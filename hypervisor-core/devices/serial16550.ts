/**
 * A 16550A UART (National Semiconductor PC16550D datasheet), as COM1 to COM4 of a PC. The transmitter is instantaneous: THR is empty again
 * before the guest can look. What the user types waits in a queue behind the receive FIFO, as a terminal waits for the
 * line, so pasting loses nothing. The interrupt goes through OUT2, as wired on a PC.
 */
import { hex } from '../protocol/hex.ts';
import { ByteFifo, fifoBytes } from './byte-fifo.ts';
import { byteRegisters, describeBytes } from './byte-registers.ts';
import type { DeviceHost, DeviceModel, PortHandler } from './device.ts';

export interface SerialPort {
  readonly name: string;
  /** First of 8 ports. */
  readonly port: number;
  readonly irq: number;
  /** Console that it sends to. */
  readonly console: number;
}

/** The four of a PC; each two share a line. */
export const COM_PORTS = [
  { name: 'COM1', port: 0x3f8, irq: 4, console: 0 },
  { name: 'COM2', port: 0x2f8, irq: 3, console: 1 },
  { name: 'COM3', port: 0x3e8, irq: 4, console: 2 },
  { name: 'COM4', port: 0x2e8, irq: 3, console: 3 },
] as const satisfies readonly SerialPort[];

/** Register offsets, datasheet table I. */
const RBR_THR = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

/** Names of the registers at each offset, for reads and for writes, while DLAB is clear. */
const REGISTER_NAMES = [
  ['RBR', 'THR'],
  ['IER', 'IER'],
  ['IIR', 'FCR'],
  ['LCR', 'LCR'],
  ['MCR', 'MCR'],
  ['LSR', 'LSR'],
  ['MSR', 'MSR'],
  ['SCR', 'SCR'],
] as const;

const IER_RDA = 1 << 0;
const IER_THRE = 1 << 1;
const IER_LINE_STATUS = 1 << 2;
const IER_MODEM_STATUS = 1 << 3;

const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_THRE = 0x02;
const IIR_RDA = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFO_ENABLED = 0xc0;

const FCR_ENABLE = 1 << 0;
const FCR_RESET_RECEIVE = 1 << 1;
const TRIGGER_LEVELS = [1, 4, 8, 14];

const LCR_DLAB = 1 << 7;

const MCR_DTR = 1 << 0;
const MCR_RTS = 1 << 1;
const MCR_OUT1 = 1 << 2;
const MCR_OUT2 = 1 << 3;
const MCR_LOOP = 1 << 4;

const LSR_DATA_READY = 1 << 0;
const LSR_OVERRUN = 1 << 1;
const LSR_THRE_AND_TEMT = 0x60;

const MSR_CTS = 1 << 4;
const MSR_DSR = 1 << 5;
const MSR_RI = 1 << 6;
const MSR_DCD = 1 << 7;
const MSR_LINES = 0xf0;

const FIFO_DEPTH = 16;
const QUEUE_DEPTH = 64 * 1024;

/** Layout of the shared state. */
const AT = { ier: 0, lcr: 1, mcr: 2, scr: 3, dll: 4, dlm: 5, fcr: 6, overrun: 7, thre: 8, msr: 9, irq: 10, fifo: 16 };
const FIFO_END = AT.fifo + fifoBytes(FIFO_DEPTH);

export interface SerialHandler extends PortHandler {
  /** A byte from the other end of the line; to be called under the bus lock. False when 64 KiB wait already. */
  receive(byte: number): boolean;
  /** True while the guest wants an interrupt for each byte received. */
  readonly listening: boolean;
}

export function serial16550({ name, port, irq, console }: SerialPort): DeviceModel<SerialHandler> {
  return {
    name,
    console,
    ports: [{ first: port, last: port + 7 }],
    register: (at, write) => REGISTER_NAMES[at - port]?.[write ? 1 : 0],
    stateBytes: FIFO_END + fifoBytes(QUEUE_DEPTH),
    reset(state) {
      state.setUint8(AT.thre, 0);
      state.setUint8(AT.dll, 1);
      state.setUint8(AT.msr, MSR_CTS | MSR_DSR | MSR_DCD);
    },
    attach(state, host) {
      const uart = new Uart(state, host, irq);
      return {
        ...byteRegisters(port, port + 7, {
          read: (at) => uart.read(at - port),
          write: (at, value) => uart.write(at - port, value),
        }),
        receive: (byte) => uart.receive(byte),
        get listening() {
          return (state.getUint8(AT.ier) & IER_RDA) !== 0;
        },
      };
    },
    describe(state) {
      const waiting = new ByteFifo(state, AT.fifo, FIFO_DEPTH).count;
      const queued = new ByteFifo(state, FIFO_END, QUEUE_DEPTH).count;
      return [
        ...describeBytes(state, { IER: AT.ier, FCR: AT.fcr, LCR: AT.lcr, MCR: AT.mcr, MSR: AT.msr, SCR: AT.scr }),
        ...describeBytes(state, { DLL: AT.dll, DLM: AT.dlm, INTR: AT.irq }),
        { name: 'receive FIFO', value: hex(waiting), text: `${waiting} bytes, ${queued} more on the line` },
      ];
    },
  };
}

class Uart {
  readonly #fifo: ByteFifo;
  readonly #queue: ByteFifo;

  constructor(
    private readonly state: DataView,
    private readonly host: DeviceHost,
    private readonly irq: number,
  ) {
    this.#fifo = new ByteFifo(state, AT.fifo, FIFO_DEPTH);
    this.#queue = new ByteFifo(state, FIFO_END, QUEUE_DEPTH);
  }

  read(register: number): number {
    const value = this.#readRegister(register);
    this.#updateIrq();
    return value;
  }

  write(register: number, value: number): void {
    this.#writeRegister(register, value);
    this.#updateIrq();
  }

  receive(byte: number): boolean {
    const taken = this.#queue.push(byte);
    // A new edge for each byte: one that came while the interrupt controller masked the line is lost, and without
    // another the guest would be deaf for good.
    this.#drive(0);
    this.#updateIrq();
    return taken;
  }

  #get(at: number): number {
    return this.state.getUint8(at);
  }

  #set(at: number, value: number): void {
    this.state.setUint8(at, value);
  }

  get #dlab(): boolean {
    return (this.#get(AT.lcr) & LCR_DLAB) !== 0;
  }

  get #loopback(): boolean {
    return (this.#get(AT.mcr) & MCR_LOOP) !== 0;
  }

  get #fifoEnabled(): boolean {
    return (this.#get(AT.fcr) & FCR_ENABLE) !== 0;
  }

  #readRegister(register: number): number {
    switch (register) {
      case RBR_THR:
        return this.#dlab ? this.#get(AT.dll) : this.#readReceiveBuffer();
      case IER:
        return this.#get(this.#dlab ? AT.dlm : AT.ier);
      case IIR_FCR:
        return this.#readInterruptIdentification();
      case LCR:
        return this.#get(AT.lcr);
      case MCR:
        return this.#get(AT.mcr);
      case LSR:
        return this.#readLineStatus();
      case MSR:
        return this.#readModemStatus();
      default:
        return this.#get(AT.scr);
    }
  }

  #writeRegister(register: number, value: number): void {
    switch (register) {
      case RBR_THR:
        if (this.#dlab) this.#set(AT.dll, value);
        else this.#transmit(value);
        break;
      case IER:
        if (this.#dlab) this.#set(AT.dlm, value);
        else this.#writeInterruptEnable(value & 0x0f);
        break;
      case IIR_FCR:
        this.#writeFifoControl(value);
        break;
      case LCR:
        this.#set(AT.lcr, value);
        break;
      case MCR:
        this.#writeModemControl(value & 0x1f);
        break;
      case SCR:
        this.#set(AT.scr, value);
        break;
    }
  }

  #transmit(byte: number): void {
    if (this.#loopback) this.#receiveNow(byte);
    else this.host.transmit(byte);
    this.#set(AT.thre, 1);
  }

  /** A byte that cannot wait: in loopback the receiver overruns as on the chip. */
  #receiveNow(byte: number): void {
    const room = this.#fifoEnabled ? this.#fifo.count < FIFO_DEPTH : this.#fifo.count === 0;
    if (!room) {
      this.#set(AT.overrun, 1);
      if (!this.#fifoEnabled) this.#fifo.clear();
    }
    this.#fifo.push(byte);
  }

  /**
   * Moves what waits on the line into the FIFO, or into the one receive buffer when the FIFO is off. Done when the guest
   * looks or wants an interrupt, so that what was typed while it boots outlives the FIFO reset of its driver.
   */
  #fillFifo(): void {
    if (this.#loopback) return;
    const depth = this.#fifoEnabled ? FIFO_DEPTH : 1;
    while (this.#fifo.count < depth) {
      const byte = this.#queue.shift();
      if (byte === undefined) return;
      this.#fifo.push(byte);
    }
  }

  #readReceiveBuffer(): number {
    this.#fillFifo();
    return this.#fifo.shift() ?? 0;
  }

  /** Switching the THRE interrupt on while THR is empty raises it at once: drivers start to send that way. */
  #writeInterruptEnable(value: number): void {
    if (value & IER_THRE & ~this.#get(AT.ier)) this.#set(AT.thre, 1);
    this.#set(AT.ier, value);
  }

  #writeFifoControl(value: number): void {
    const toggled = (value ^ this.#get(AT.fcr)) & FCR_ENABLE;
    if (toggled || value & FCR_RESET_RECEIVE) this.#fifo.clear();
    this.#set(AT.fcr, value & FCR_ENABLE ? value & 0xc9 : 0);
  }

  #writeModemControl(value: number): void {
    this.#set(AT.mcr, value);
    const linesBefore = this.#get(AT.msr) & MSR_LINES;
    const lines = this.#loopback ? loopedLines(value) : MSR_CTS | MSR_DSR | MSR_DCD;
    const changed = linesBefore ^ lines;
    // TERI reports only the trailing edge of RI.
    const edges = changed & MSR_RI && lines & MSR_RI ? changed & ~MSR_RI : changed;
    this.#set(AT.msr, lines | (this.#get(AT.msr) & 0x0f) | (edges >> 4));
  }

  #readLineStatus(): number {
    this.#fillFifo();
    const overrun = this.#get(AT.overrun) ? LSR_OVERRUN : 0;
    this.#set(AT.overrun, 0);
    return LSR_THRE_AND_TEMT | overrun | (this.#fifo.count > 0 ? LSR_DATA_READY : 0);
  }

  #readModemStatus(): number {
    const status = this.#get(AT.msr);
    this.#set(AT.msr, status & MSR_LINES);
    return status;
  }

  #readInterruptIdentification(): number {
    const pending = this.#pendingInterrupt();
    if (pending === IIR_THRE) this.#set(AT.thre, 0);
    return pending | (this.#fifoEnabled ? IIR_FIFO_ENABLED : 0);
  }

  /** Datasheet table III: highest priority first. */
  #pendingInterrupt(): number {
    const enabled = this.#get(AT.ier);
    if (enabled & IER_LINE_STATUS && this.#get(AT.overrun)) return IIR_LINE_STATUS;
    if (enabled & IER_RDA && this.#fifo.count > 0) {
      const trigger = this.#fifoEnabled ? (TRIGGER_LEVELS[this.#get(AT.fcr) >> 6] ?? 1) : 1;
      // Below the trigger level the character time-out fires; nothing more is on its way, so it fires at once.
      return this.#fifo.count >= trigger ? IIR_RDA : IIR_TIMEOUT;
    }
    if (enabled & IER_THRE && this.#get(AT.thre)) return IIR_THRE;
    if (enabled & IER_MODEM_STATUS && this.#get(AT.msr) & 0x0f) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  #updateIrq(): void {
    if (this.#get(AT.ier) & IER_RDA) this.#fillFifo();
    const driven = (this.#get(AT.mcr) & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    this.#drive(driven && this.#pendingInterrupt() !== IIR_NONE ? 1 : 0);
  }

  #drive(level: 0 | 1): void {
    if (level === this.#get(AT.irq)) return;
    this.#set(AT.irq, level);
    this.host.setIrq(this.irq, level === 1);
  }
}

/** In loopback the modem control outputs are the modem status inputs. */
function loopedLines(mcr: number): number {
  return (
    (mcr & MCR_RTS ? MSR_CTS : 0) |
    (mcr & MCR_DTR ? MSR_DSR : 0) |
    (mcr & MCR_OUT1 ? MSR_RI : 0) |
    (mcr & MCR_OUT2 ? MSR_DCD : 0)
  );
}
