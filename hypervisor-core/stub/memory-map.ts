/**
 * The memory map in gdb's sense (GDB manual, appendix F.1). gdb refuses every address that the map leaves out, and its
 * addresses are virtual, so the map covers all 64 bits: RAM, where breakpoints are planted, with holes punched for ROM
 * only while paging is off and virtual is physical. gdb then asks for hardware breakpoints there by itself.
 */
import type { Machine, Vcpu } from '../machine/api.ts';
import { parseHex } from '../protocol/hex.ts';

const SPACE_END = 1n << 64n;
/** A region's length must stay below 2^64, so RAM is told in two halves. */
const HALF = 1n << 63n;
const CR0_PG = 1 << 31;

export function memoryMapXml({ machine, vcpu }: { machine: Machine; vcpu: Vcpu }): string {
  const paging = (new DataView(vcpu.registers.read('cr0').slice().buffer).getUint32(0, true) & CR0_PG) !== 0;
  const roms = machine
    .memoryMap()
    .regions.filter(({ kind }) => !paging && kind === 'rom')
    .map(({ start, end }) => ({ start: parseHex(start), end: parseHex(end) }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  const lines: string[] = [];
  const add = (type: string, start: bigint, end: bigint) => {
    if (start < HALF && end > HALF) {
      add(type, start, HALF);
      add(type, HALF, end);
    } else if (start < end) {
      lines.push(`<memory type="${type}" start="0x${start.toString(16)}" length="0x${(end - start).toString(16)}"/>`);
    }
  };
  let next = 0n;
  for (const { start, end } of roms) {
    add('ram', next, start);
    add('rom', start < next ? next : start, end);
    next = end > next ? end : next;
  }
  add('ram', next, SPACE_END);
  return `<?xml version="1.0"?>\n<memory-map>\n${lines.join('\n')}\n</memory-map>\n`;
}
