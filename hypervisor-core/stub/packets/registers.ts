/** `g G p P`: registers of the selected vCPU, in the order of the target description. */
import { bytesToHex, hexToBytes, parseNumber } from '../../protocol/rsp.ts';
import { type RegisterDescription, registerFileBytes, registers } from '../../protocol/target-description.ts';
import { type Client, ErrorCode, malformed, PacketError, type PacketHandler } from '../packet.ts';

const readAll: PacketHandler = {
  name: 'g',
  handle: ({ vcpu }) => bytesToHex(Buffer.concat(registers.map(({ name }) => vcpu.registers.read(name)))),
};

/** A debugger writes back what it read with one value changed, so only what differs is written. */
const writeAll: PacketHandler = {
  name: 'G',
  handle(client, rest) {
    const file = hexToBytes(rest);
    if (file?.length !== registerFileBytes) throw malformed('G');
    for (const { name, offset, bits } of registers) {
      const value = file.subarray(offset, offset + bits / 8);
      if (Buffer.compare(value, client.vcpu.registers.read(name)) !== 0) client.vcpu.registers.write(name, value);
    }
    return 'OK';
  },
};

const readOne: PacketHandler = {
  name: 'p',
  handle: (client, rest) => bytesToHex(client.vcpu.registers.read(byNumber(rest).name)),
};

const writeOne: PacketHandler = {
  name: 'P',
  handle(client: Client, rest) {
    const [number = '', digits = ''] = rest.split('=', 2);
    const { name, bits } = byNumber(number);
    const value = hexToBytes(digits);
    if (value?.length !== bits / 8) throw malformed('P');
    client.vcpu.registers.write(name, value);
    return 'OK';
  },
};

function byNumber(text: string): RegisterDescription {
  const register = registers[Number(parseNumber(text) ?? -1n)];
  if (!register) throw new PacketError(ErrorCode.invalid, `no register number ${text.slice(0, 20)}`);
  return register;
}

export const registerPackets: readonly PacketHandler[] = [readAll, writeAll, readOne, writeOne];
