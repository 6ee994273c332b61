/**
 * The 8042 keyboard controller without a keyboard: answers its commands so that drivers find it and go on, and resets
 * the machine, which is what most kernels use it for. IBM PC/AT Technical Reference, keyboard controller.
 */

import { byteRegisters } from './byte-registers.ts';
import type { DeviceModel } from './device.ts';
import { endByReset } from './reset-control.ts';

const DATA = 0x60;
const STATUS_COMMAND = 0x64;

const STATUS_OUTPUT_FULL = 1 << 0;
const STATUS_SELF_TEST_PASSED = 1 << 2;
const STATUS_NOT_LOCKED = 1 << 4;

const READ_COMMAND_BYTE = 0x20;
const WRITE_COMMAND_BYTE = 0x60;
const TEST_SECOND_PORT = 0xa9;
const SELF_TEST = 0xaa;
const TEST_FIRST_PORT = 0xab;
const READ_OUTPUT_PORT = 0xd0;
const WRITE_OUTPUT_PORT = 0xd1;
/** Pulse the output lines that are 0 in the low bits; line 0 is the processor's reset. */
const PULSE_RESET = 0xfe;

const OUTPUT_PORT = 0xcf;
const OUTPUT_NOT_RESET = 1 << 0;

/** Layout of the shared state; `expects` is the command whose data byte comes next at port 0x60. */
const AT = { command: 0, expects: 1, output: 2, outputFull: 3 };

export const i8042: DeviceModel = {
  name: 'i8042',
  ports: [
    { first: DATA, last: DATA },
    { first: STATUS_COMMAND, last: STATUS_COMMAND },
  ],
  stateBytes: 4,
  reset() {},
  attach(state, host) {
    const answer = (value: number) => {
      state.setUint8(AT.output, value);
      state.setUint8(AT.outputFull, 1);
    };
    const command = (value: number) => {
      state.setUint8(AT.expects, 0);
      if (value === PULSE_RESET) endByReset(host, 'keyboard controller');
      else if (value === READ_COMMAND_BYTE) answer(state.getUint8(AT.command));
      else if (value === SELF_TEST) answer(0x55);
      else if (value === TEST_FIRST_PORT || value === TEST_SECOND_PORT) answer(0);
      else if (value === READ_OUTPUT_PORT) answer(OUTPUT_PORT);
      else if (value === WRITE_COMMAND_BYTE || value === WRITE_OUTPUT_PORT) state.setUint8(AT.expects, value);
    };
    const data = (value: number) => {
      const expects = state.getUint8(AT.expects);
      state.setUint8(AT.expects, 0);
      if (expects === WRITE_COMMAND_BYTE) state.setUint8(AT.command, value);
      else if (expects === WRITE_OUTPUT_PORT && !(value & OUTPUT_NOT_RESET)) endByReset(host, 'keyboard controller');
    };
    return byteRegisters(DATA, STATUS_COMMAND, {
      read(port) {
        if (port === DATA) {
          state.setUint8(AT.outputFull, 0);
          return state.getUint8(AT.output);
        }
        if (port !== STATUS_COMMAND) return 0xff;
        const full = state.getUint8(AT.outputFull) ? STATUS_OUTPUT_FULL : 0;
        return full | STATUS_SELF_TEST_PASSED | STATUS_NOT_LOCKED;
      },
      write(port, value) {
        if (port === STATUS_COMMAND) command(value);
        else if (port === DATA) data(value);
      },
    });
  },
};
