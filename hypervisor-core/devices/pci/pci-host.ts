/**
 * The way into PCI configuration space, mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2): CONFIG_ADDRESS and CONFIG_DATA. All
 * functions are function 0 of a device on bus 0. Port 0xcf9 between the two is the reset control register's.
 */
import { hex } from '../../protocol/hex.ts';
import { byteRegisters } from '../byte-registers.ts';
import type { DeviceHost, DeviceModel, MemoryAccess, PortHandler } from '../device.ts';
import { type PciFunction, type PciRegisterHandler, type PciRegisters, registersAt } from './pci-function.ts';

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;

const ENABLE = 0x8000_0000;
/** Bits of CONFIG_ADDRESS that can be written: enable, bus, device, function, register. */
const ADDRESS_BITS = 0x80ff_fffc;

const CONFIGURATION_BYTES = 256;
/** Shared state: CONFIG_ADDRESS, the configuration space of each function, then their registers. */
const AT = { address: 0, functions: 16 };
const spaceOf = (device: number) => AT.functions + device * CONFIGURATION_BYTES;
const align = (bytes: number) => Math.ceil(bytes / 16) * 16;

export interface PciHostHandler extends PortHandler {
  /** The handler of a function's registers, by the function's name. */
  registersOf(name: string): PciRegisterHandler | undefined;
}

/** `functions` by device number. */
export function pciHost(functions: readonly PciFunction[]): DeviceModel<PciHostHandler> {
  const registerOffsets: number[] = [];
  let end = spaceOf(functions.length);
  for (const { registers } of functions) {
    registerOffsets.push(end);
    end += align(registers?.stateBytes ?? 0);
  }
  /** The parts of a function's state. */
  const parts = (state: DataView) =>
    functions.map(({ name, registers }, device) => ({
      name,
      slot: `00:${device.toString(16).padStart(2, '0')}.0`,
      space: new DataView(state.buffer, state.byteOffset + spaceOf(device), CONFIGURATION_BYTES),
      registers,
      registerState: new DataView(
        state.buffer,
        state.byteOffset + (registerOffsets[device] ?? 0),
        registers?.stateBytes ?? 0,
      ),
    }));
  return {
    name: 'pci-host',
    ports: [
      { first: CONFIG_ADDRESS, last: CONFIG_ADDRESS },
      { first: CONFIG_DATA, last: CONFIG_DATA + 3 },
    ],
    stateBytes: end,
    reset(state) {
      for (const [device, { space, registers, registerState }] of parts(state).entries()) {
        for (const [offset, byte] of (functions[device]?.reset ?? []).entries()) space.setUint8(offset, byte);
        registers?.reset(registerState);
      }
    },
    attach: (state, host) => {
      const decoders = decodersOf(parts(state), host);
      return {
        ...configuration(state, functions, () => {
          for (const { handler } of decoders) handler.configured?.();
        }),
        memory: (access) => decoders.some((decoder) => memoryAccess(decoder, access)),
        registersOf: (name) => decoders.find((decoder) => decoder.name === name)?.handler,
      };
    },
    messages: (state) =>
      parts(state).flatMap(({ name, space, registers, registerState }) =>
        (registers?.messages?.(registerState, space) ?? []).map((message) => ({ device: name, ...message })),
      ),
    describe: (state) => [
      { name: 'CONFIG_ADDRESS', value: hex(state.getUint32(AT.address, true)) },
      ...parts(state).flatMap(({ name, slot, space, registers, registerState }) => [
        {
          name: slot,
          value: hex(space.getUint32(0, true)),
          text: `${name}, command 0x${space.getUint16(4, true).toString(16)}`,
        },
        ...(registers?.describe(registerState, space) ?? []).map((part) => ({ ...part, name: `${name} ${part.name}` })),
      ]),
    ],
  };
}

function configuration(state: DataView, functions: readonly PciFunction[], onWritten: () => void) {
  const address = () => state.getUint32(AT.address, true);
  /** The byte that a data port leads to by CONFIG_ADDRESS, and which of its bits are writable. */
  const target = (port: number) => {
    const selected = address();
    const device = (selected >>> 8) & 0xffff;
    // Device in bits 7 to 3, function in bits 2 to 0, bus above.
    const found = selected >= ENABLE && device % 8 === 0 ? functions[device / 8] : undefined;
    const offset = (selected & 0xfc) + port - CONFIG_DATA;
    return found && { writable: found.writable[offset] ?? 0, at: spaceOf(device / 8) + offset };
  };
  const data = byteRegisters(CONFIG_DATA, CONFIG_DATA + 3, {
    read(port) {
      const found = target(port);
      return found ? state.getUint8(found.at) : 0xff;
    },
    write(port, value) {
      const found = target(port);
      if (!found) return;
      state.setUint8(found.at, (state.getUint8(found.at) & ~found.writable) | (value & found.writable));
    },
  });
  return {
    in(port: number, size: number) {
      if (port !== CONFIG_ADDRESS) return data.in(port, size);
      return size === 4 ? address() : 0xffff_ffff;
    },
    out(port: number, size: number, value: number) {
      if (port !== CONFIG_ADDRESS) {
        data.out(port, size, value);
        onWritten();
      } else if (size === 4) state.setUint32(AT.address, value & ADDRESS_BITS, true);
    },
  };
}

interface Part {
  readonly name: string;
  readonly registers: PciRegisters | undefined;
  readonly space: DataView;
  readonly registerState: DataView;
}

/** A function that decodes memory, on this thread. */
interface Decoder {
  readonly name: string;
  readonly registers: PciRegisters;
  readonly space: DataView;
  readonly handler: PciRegisterHandler;
}

const decodersOf = (parts: readonly Part[], host: DeviceHost): Decoder[] =>
  parts.flatMap(({ name, space, registers, registerState }) =>
    registers ? [{ name, space, registers, handler: registers.attach(registerState, host, space) }] : [],
  );

/** Carries out an access to the function's registers; false when it is not to them. */
function memoryAccess({ space, registers, handler }: Decoder, { gpa, data, write }: MemoryAccess): boolean {
  const start = registersAt(space, registers);
  if (start === undefined || gpa < start || gpa + data.length > start + registers.size) return false;
  // A 64-bit access is two of 32 bits (virtio 1.2, 4.1.3.1).
  for (let at = 0; at < data.length; at += 4) {
    const size = Math.min(4, data.length - at);
    const view = new DataView(data.buffer, data.byteOffset + at, size);
    if (write) handler.write(gpa - start + at, size, readValue(view));
    else writeValue(view, handler.read(gpa - start + at, size));
  }
  return true;
}

function readValue(view: DataView): number {
  let value = 0;
  for (let byte = 0; byte < view.byteLength; byte++) value += view.getUint8(byte) * 2 ** (8 * byte);
  return value;
}

function writeValue(view: DataView, value: number): void {
  for (let byte = 0; byte < view.byteLength; byte++) view.setUint8(byte, (value >>> (8 * byte)) & 0xff);
}
