/**
 * The 8042 keyboard controller with a US keyboard at its first port and nothing at the second (IBM PC/AT Technical
 * Reference, keyboard controller; PS/2 Technical Reference, keyboard commands). It starts as firmware leaves it: keyboard
 * on, translation to scan code set 1, interrupt 1 enabled.
 */
import { hex } from '../protocol/hex.ts';
import { ByteFifo, fifoBytes } from './byte-fifo.ts';
import { byteRegisters, describeBytes } from './byte-registers.ts';
import type { DeviceHost, DeviceModel, PortHandler } from './device.ts';
import { type KeyboardLink, keyboardCommand } from './keyboard.ts';
import { endByReset } from './reset-control.ts';
import { scanCodes, toSet2 } from './scan-codes.ts';

const DATA = 0x60;
const STATUS_COMMAND = 0x64;
const IRQ = 1;

const STATUS_OUTPUT_FULL = 1 << 0;
const STATUS_SYSTEM_FLAG = 1 << 2;
const STATUS_COMMAND_LAST = 1 << 3;
const STATUS_NOT_LOCKED = 1 << 4;

/** Bits of the command byte. */
const INTERRUPT = 1 << 0;
const SYSTEM_FLAG = 1 << 2;
const KEYBOARD_OFF = 1 << 4;
const AUXILIARY_OFF = 1 << 5;
const TRANSLATE = 1 << 6;

const READ_COMMAND_BYTE = 0x20;
const WRITE_COMMAND_BYTE = 0x60;
const TEST_SECOND_PORT = 0xa9;
const SELF_TEST = 0xaa;
const TEST_FIRST_PORT = 0xab;
const DISABLE_KEYBOARD = 0xad;
const ENABLE_KEYBOARD = 0xae;
const READ_OUTPUT_PORT = 0xd0;
const WRITE_OUTPUT_PORT = 0xd1;
const WRITE_KEYBOARD_BUFFER = 0xd2;
const WRITE_AUXILIARY = 0xd4;
/** Pulse the output lines that are 0 in the low bits; line 0 is the processor's reset. */
const PULSE_RESET = 0xfe;
/** Commands whose parameter follows at port 0x60. */
const withParameter = [WRITE_COMMAND_BYTE, WRITE_OUTPUT_PORT, WRITE_KEYBOARD_BUFFER, WRITE_AUXILIARY];

const OUTPUT_PORT = 0xcf;
const OUTPUT_NOT_RESET = 1 << 0;

const QUEUE_DEPTH = 256;
/** Layout of the shared state; `expects` is the command whose data byte comes next at port 0x60. */
const AT = {
  command: 0,
  expects: 1,
  output: 2,
  outputFull: 3,
  commandLast: 4,
  keyboardExpects: 5,
  scanning: 6,
  queue: 8,
};

export interface KeyboardHandler extends PortHandler {
  /** Hits the keys that a terminal sends as `bytes`, under the bus lock. False when some no longer fit. */
  type(bytes: Uint8Array): boolean;
}

export const i8042: DeviceModel<KeyboardHandler> = {
  name: 'i8042',
  register: (port, write) => (port === DATA ? 'data' : write ? 'command' : 'status'),
  ports: [
    { first: DATA, last: DATA },
    { first: STATUS_COMMAND, last: STATUS_COMMAND },
  ],
  stateBytes: AT.queue + fifoBytes(QUEUE_DEPTH),
  reset(state) {
    state.setUint8(AT.command, TRANSLATE | AUXILIARY_OFF | SYSTEM_FLAG | INTERRUPT);
    state.setUint8(AT.scanning, 1);
  },
  attach(state, host) {
    const controller = new Controller(state, host);
    return {
      ...byteRegisters(DATA, STATUS_COMMAND, {
        read: (port) => controller.read(port),
        write: (port, value) => controller.write(port, value),
      }),
      type: (bytes) => controller.type(bytes),
    };
  },
  describe(state) {
    const { count } = new ByteFifo(state, AT.queue, QUEUE_DEPTH);
    return [
      ...describeBytes(state, { 'command byte': AT.command, 'output buffer': AT.output, OBF: AT.outputFull }),
      { name: 'keyboard', value: hex(count), text: `${count} bytes wait${state.getUint8(AT.scanning) ? '' : ', off'}` },
    ];
  },
};

class Controller implements KeyboardLink {
  readonly #queue: ByteFifo;

  constructor(
    private readonly state: DataView,
    private readonly host: DeviceHost,
  ) {
    this.#queue = new ByteFifo(state, AT.queue, QUEUE_DEPTH);
  }

  read(port: number): number {
    if (port === DATA) return this.#readData();
    if (port !== STATUS_COMMAND) return 0xff;
    const full = this.#get(AT.outputFull) ? STATUS_OUTPUT_FULL : 0;
    const system = this.#get(AT.command) & SYSTEM_FLAG ? STATUS_SYSTEM_FLAG : 0;
    return full | system | (this.#get(AT.commandLast) ? STATUS_COMMAND_LAST : 0) | STATUS_NOT_LOCKED;
  }

  write(port: number, value: number): void {
    if (port !== DATA && port !== STATUS_COMMAND) return;
    this.#set(AT.commandLast, port === STATUS_COMMAND ? 1 : 0);
    if (port === STATUS_COMMAND) this.#command(value);
    else this.#data(value);
    this.#fill();
  }

  type(bytes: Uint8Array): boolean {
    if (!this.#get(AT.scanning)) return false;
    const fits = scanCodes(bytes).every((stroke) => {
      const codes = this.translated ? stroke : toSet2(stroke);
      if (this.#queue.count + codes.length > QUEUE_DEPTH) return false;
      for (const code of codes) this.#queue.push(code);
      return true;
    });
    // A new edge, for a guest whose interrupt controller was not ready for the last one.
    this.host.setIrq(IRQ, false);
    this.#fill();
    return fits;
  }

  get keyboardExpects(): number {
    return this.#get(AT.keyboardExpects);
  }

  set keyboardExpects(command: number) {
    this.#set(AT.keyboardExpects, command);
  }

  get translated(): boolean {
    return (this.#get(AT.command) & TRANSLATE) !== 0;
  }

  scan(on: boolean): void {
    this.#set(AT.scanning, on ? 1 : 0);
  }

  /** What was typed before a command is gone, as on a keyboard. */
  reply(bytes: readonly number[]): void {
    this.#queue.clear();
    for (const byte of bytes) this.#queue.push(byte);
  }

  #get(at: number): number {
    return this.state.getUint8(at);
  }

  #set(at: number, value: number): void {
    this.state.setUint8(at, value);
  }

  #readData(): number {
    const value = this.#get(AT.output);
    this.#set(AT.outputFull, 0);
    this.host.setIrq(IRQ, false);
    this.#fill();
    return value;
  }

  #answer(value: number): void {
    this.#set(AT.output, value);
    this.#set(AT.outputFull, 1);
  }

  /** Takes the keyboard's next byte when there is room for it, and drives the line. */
  #fill(): void {
    if (!this.#get(AT.outputFull) && !(this.#get(AT.command) & KEYBOARD_OFF)) {
      const byte = this.#queue.shift();
      if (byte !== undefined) this.#answer(byte);
    }
    this.host.setIrq(IRQ, this.#get(AT.outputFull) === 1 && (this.#get(AT.command) & INTERRUPT) !== 0);
  }

  #command(value: number): void {
    this.#set(AT.expects, withParameter.includes(value) ? value : 0);
    if (value === PULSE_RESET) endByReset(this.host, 'keyboard controller');
    else if (value === READ_COMMAND_BYTE) this.#answer(this.#get(AT.command));
    else if (value === SELF_TEST) this.#answer(0x55);
    else if (value === TEST_FIRST_PORT || value === TEST_SECOND_PORT) this.#answer(0);
    else if (value === READ_OUTPUT_PORT) this.#answer(OUTPUT_PORT);
    else if (value === DISABLE_KEYBOARD) this.#set(AT.command, this.#get(AT.command) | KEYBOARD_OFF);
    else if (value === ENABLE_KEYBOARD) this.#set(AT.command, this.#get(AT.command) & ~KEYBOARD_OFF);
  }

  #data(value: number): void {
    const expects = this.#get(AT.expects);
    this.#set(AT.expects, 0);
    if (expects === WRITE_COMMAND_BYTE) this.#set(AT.command, value);
    else if (expects === WRITE_KEYBOARD_BUFFER) this.#answer(value);
    else if (expects === WRITE_OUTPUT_PORT && !(value & OUTPUT_NOT_RESET)) {
      endByReset(this.host, 'keyboard controller');
    } else if (expects === 0) {
      // A byte for the keyboard switches it on.
      this.#set(AT.command, this.#get(AT.command) & ~KEYBOARD_OFF);
      keyboardCommand(this, value);
    }
  }
}
