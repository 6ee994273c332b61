/** `monitor xp` and `monitor gpa2hva`: guest-physical memory, laid out as QEMU lays it out. */
import { parseHex } from '../../protocol/hex.ts';
import { type MonitorCommand, monitorNumber } from './monitor-command.ts';

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const MOST_BYTES = 65536;
const USAGE = 'xp /[COUNT][x|d|u|o|c][b|h|w|g] ADDRESS, e.g. xp /4xg 0x1000\n';

/** A value in the columns that QEMU gives it: as wide as the widest of its size. */
function column(value: bigint, format: string, bytes: number): string {
  const bits = 8 * bytes;
  if (format === 'x') return `0x${value.toString(16).padStart(bits / 4, '0')}`;
  if (format === 'o') return (value === 0n ? '0' : `0${value.toString(8)}`).padStart(Math.ceil(bits / 3));
  const decimal = Math.ceil((bits * 10) / 33);
  return String(format === 'd' ? BigInt.asIntN(bits, value) : value).padStart(decimal);
}

function character(value: bigint): string {
  const code = Number(value);
  const named = new Map([
    [0x27, "\\'"],
    [0x5c, '\\\\'],
    [0x0a, '\\n'],
    [0x0d, '\\r'],
  ]).get(code);
  if (named !== undefined) return `'${named}'`;
  return code >= 32 && code <= 126 ? `'${String.fromCharCode(code)}'` : `'\\x${code.toString(16).padStart(2, '0')}'`;
}

export const examine: MonitorCommand = {
  name: 'xp',
  parameters: '/FMT ADDRESS',
  help: 'guest-physical memory',
  run({ machine }, argument) {
    const [, count = '1', letters = '', place = ''] =
      /^(?:\/(\d{0,6})([xduocbhwg]{0,2}) )?(0x[0-9a-fA-F]{1,16}|\d{1,16})$/.exec(argument) ?? [];
    const format = /[xduoc]/.exec(letters)?.[0] ?? 'x';
    const bytes = format === 'c' ? 1 : (SIZES[/[bhwg]/.exec(letters)?.[0] ?? 'w'] ?? 4);
    const length = Number(count === '' ? 1 : count) * bytes;
    if (place === '' || length === 0 || length > MOST_BYTES) return USAGE;
    const start = BigInt(place);
    const memory = machine.memory.read(start, length);
    if (memory.length < length) return `Cannot access memory at 0x${(start + BigInt(memory.length)).toString(16)}\n`;
    const lineBytes = bytes === 1 ? 8 : 16;
    let text = '';
    for (let line = 0; line < length; line += lineBytes) {
      text += `${(start + BigInt(line)).toString(16).padStart(16, '0')}:`;
      for (let at = line; at < Math.min(line + lineBytes, length); at += bytes) {
        const value = memory.subarray(at, at + bytes).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
        text += ` ${format === 'c' ? character(value) : column(value, format, bytes)}`;
      }
      text += '\n';
    }
    return text;
  },
};

export const hostAddress: MonitorCommand = {
  name: 'gpa2hva',
  parameters: 'ADDRESS',
  help: 'where guest-physical memory lies in this process',
  run({ machine }, argument) {
    const gpa = monitorNumber(argument);
    if (gpa === undefined) return 'gpa2hva wants an address, e.g. gpa2hva 0x1000\n';
    const host = machine.memory.host(gpa);
    const at = `0x${gpa.toString(16)}`;
    if (host !== undefined) return `Host virtual address for ${at} (ram) is 0x${host.toString(16)}\n`;
    const device = machine
      .memoryMap()
      .regions.some(({ kind, start, end }) => kind === 'mmio' && gpa >= parseHex(start) && gpa < parseHex(end));
    return device ? `Memory at address ${at} is not RAM\n` : `No memory is mapped at address ${at}\n`;
  },
};
