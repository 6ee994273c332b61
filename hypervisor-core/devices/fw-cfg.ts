/**
 * QEMU's firmware configuration device by ports, without DMA (QEMU, docs/specs/fw_cfg): a 16-bit selector, then the item
 * byte by byte. Numbers in items are little-endian, those of the file directory big-endian.
 */
import { hex } from '../protocol/hex.ts';
import type { DeviceModel } from './device.ts';

const SELECTOR = 0x510;
const DATA = 0x511;

const SIGNATURE = 0x0000;
const ID = 0x0001;
const RAM_SIZE = 0x0003;
const NB_CPUS = 0x0005;
const MAX_CPUS = 0x000f;
const FILE_DIR = 0x0019;
const FIRST_FILE = 0x0020;
/** Bit 14 asked old devices for writing. */
const KEY_BITS = 0xbfff;

const COM1 = 0x3f8;

/** The one interface that is there: selector and data port. */
const TRADITIONAL = 1;

const FILE_NAME_BYTES = 56;
const DIRECTORY_ENTRY_BYTES = 64;

/** Layout of the shared state. */
const AT = { selector: 0, offset: 4 };

export interface FwCfgFile {
  /** At most 55 characters of ASCII. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface FwCfgConfiguration {
  readonly memoryBelow4G: number;
  readonly memoryAbove4G: number;
  readonly cpus: number;
  readonly files?: readonly FwCfgFile[];
}

export function fwCfg(configuration: FwCfgConfiguration): DeviceModel {
  const items = itemsOf(configuration);
  return {
    name: 'fw_cfg',
    ports: [{ first: SELECTOR, last: DATA }],
    stateBytes: 8,
    reset() {},
    attach: (state) => ({
      in(port, size) {
        if (port !== DATA || size !== 1) return 0xffff_ffff;
        const offset = state.getUint32(AT.offset, true);
        const byte = items.get(state.getUint16(AT.selector, true))?.[offset];
        if (byte !== undefined) state.setUint32(AT.offset, offset + 1, true);
        // Past the end of an item, and where there is none, zeros are read.
        return byte ?? 0;
      },
      out(port, size, value) {
        if (port !== SELECTOR || size !== 2) return;
        state.setUint16(AT.selector, value & KEY_BITS, true);
        state.setUint32(AT.offset, 0, true);
      },
    }),
    describe: (state) => [
      { name: 'selector', value: hex(state.getUint16(AT.selector, true)) },
      { name: 'offset', value: hex(state.getUint32(AT.offset, true)) },
    ],
  };
}

function itemsOf(configuration: FwCfgConfiguration): ReadonlyMap<number, Uint8Array> {
  const { memoryBelow4G, memoryAbove4G, cpus } = configuration;
  const files = [
    { name: 'etc/e820', bytes: e820(memoryBelow4G, memoryAbove4G) },
    // SeaBIOS has no screen here: INT 10h prints on COM1, and what is typed there are keys.
    { name: 'etc/sercon-port', bytes: number(8, COM1) },
    ...(configuration.files ?? []),
  ];
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return new Map([
    [SIGNATURE, Buffer.from('QEMU')],
    [ID, number(4, TRADITIONAL)],
    [RAM_SIZE, number(8, memoryBelow4G + memoryAbove4G)],
    [NB_CPUS, number(2, cpus)],
    [MAX_CPUS, number(2, cpus)],
    [FILE_DIR, directory(sorted)],
    ...sorted.map(({ bytes }, index) => [FIRST_FILE + index, bytes] as const),
  ]);
}

function number(size: 2 | 4 | 8, value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes.subarray(0, size);
}

function directory(files: readonly FwCfgFile[]): Uint8Array {
  const bytes = Buffer.alloc(4 + files.length * DIRECTORY_ENTRY_BYTES);
  bytes.writeUInt32BE(files.length);
  for (const [index, file] of files.entries()) {
    const at = 4 + index * DIRECTORY_ENTRY_BYTES;
    bytes.writeUInt32BE(file.bytes.length, at);
    bytes.writeUInt16BE(FIRST_FILE + index, at + 4);
    bytes.write(file.name, at + 8, FILE_NAME_BYTES - 1, 'latin1');
  }
  return bytes;
}

/** struct e820_entry of each run of RAM: address, size, type 1. */
function e820(below4G: number, above4G: number): Uint8Array {
  const FOUR_GIB = 2 ** 32;
  const runs = [
    { start: 0, size: below4G },
    { start: FOUR_GIB, size: above4G },
  ].filter(({ size }) => size > 0);
  return Buffer.concat(runs.map(({ start, size }) => Buffer.concat([number(8, start), number(8, size), number(4, 1)])));
}
