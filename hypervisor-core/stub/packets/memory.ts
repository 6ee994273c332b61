/** `m M x X`: memory, guest-virtual as the selected vCPU sees it, or guest-physical after `Qqemu.PhyMemMode:1`. */
import { bytesToHex, hexToBytes, MAX_PACKET, parseNumber } from '../../protocol/rsp.ts';
import { type Client, ErrorCode, malformed, PacketError, type PacketHandler } from '../packet.ts';

/** Longest read: two digits a byte, or each byte escaped, must fit a packet. */
const MAX_READ = MAX_PACKET / 2 - 16;

/** In front of binary data. */
const BINARY = Buffer.from('b');

const readHex: PacketHandler = { name: 'm', handle: (client, rest) => bytesToHex(read(client, rest)) };

/** Binary reads as of gdb 16: `b` and the bytes. lldb 14 probes `x0,0`, wants `OK` for it, and goes back to `m`. */
const readBinary: PacketHandler = {
  name: 'x',
  feature: 'binary-upload+',
  handle: (client, rest) => Buffer.concat([BINARY, read(client, rest)]),
};

const writeHex: PacketHandler = {
  name: 'M',
  handle(client, rest) {
    const { place, data } = splitData(rest);
    return write(client, place, hexToBytes(data));
  },
};

const writeBinary: PacketHandler = {
  name: 'X',
  handle(client, rest) {
    const { place, data } = splitData(rest);
    return write(client, place, Buffer.from(data, 'latin1'));
  },
};

function read(client: Client, rest: string): Uint8Array {
  const { address, length } = parsePlace(rest);
  const wanted = Math.min(length, MAX_READ);
  const data = client.physicalMemory
    ? client.machine.memory.read(address, wanted)
    : client.machine.readVirtual(client.vcpu.index, address, wanted);
  if (data.length === 0 && length > 0) throw fault('read', client, address);
  return data;
}

function write(client: Client, place: string, data: Uint8Array | undefined): string {
  const { address, length } = parsePlace(place);
  if (data?.length !== length) throw malformed('memory write');
  if (length === 0) return 'OK';
  const written = client.physicalMemory
    ? client.machine.memory.write(address, data)
    : client.machine.writeVirtual(client.vcpu.index, address, data);
  if (written < length) throw fault('write', client, address + BigInt(written));
  return 'OK';
}

function fault(what: string, client: Client, address: bigint): PacketError {
  const why = client.physicalMemory ? 'there is no RAM at physical' : 'nothing is mapped at';
  return new PacketError(ErrorCode.fault, `cannot ${what} memory: ${why} address 0x${address.toString(16)}`);
}

function parsePlace(text: string): { address: bigint; length: number } {
  const [first = '', second = '', ...more] = text.split(',');
  const address = parseNumber(first);
  const length = parseNumber(second);
  if (address === undefined || length === undefined || more.length > 0) throw malformed('memory');
  return { address, length: Number(length) };
}

function splitData(rest: string): { place: string; data: string } {
  const colon = rest.indexOf(':');
  if (colon < 0) throw malformed('memory write');
  return { place: rest.slice(0, colon), data: rest.slice(colon + 1) };
}

export const memoryPackets: readonly PacketHandler[] = [readHex, readBinary, writeHex, writeBinary];
