/** `monitor info registers`, laid out as QEMU lays it out: scripts pick CR3, EFER, GDT and IDT out of it by pattern. */
import type { Vcpu } from '../../machine/api.ts';

const FLAG_LETTERS: readonly (readonly [mask: bigint, letter: string])[] = [
  [0x400n, 'D'],
  [0x800n, 'O'],
  [0x80n, 'S'],
  [0x40n, 'Z'],
  [0x10n, 'A'],
  [0x4n, 'P'],
  [0x1n, 'C'],
];

export function registersText(vcpu: Vcpu): string {
  const value = (name: string) => Buffer.from(vcpu.registers.read(name)).reverse().toString('hex');
  const rows = [
    ['RAX', 'RBX', 'RCX', 'RDX'],
    ['RSI', 'RDI', 'RBP', 'RSP'],
    ['R8', 'R9', 'R10', 'R11'],
    ['R12', 'R13', 'R14', 'R15'],
  ];
  const flags = BigInt(`0x${value('eflags')}`);
  const letters = FLAG_LETTERS.map(([mask, letter]) => (flags & mask ? letter : '-')).join('');
  const cpl = (Number.parseInt(value('ss_attr'), 16) >> 5) & 3;
  const halted = vcpu.interrupts().pending.mpState === 'halted' ? 1 : 0;
  return [
    `CPU#${vcpu.index}`,
    ...rows.map((row) => row.map((name) => `${name.padEnd(3)}=${value(name.toLowerCase())}`).join(' ')),
    `RIP=${value('rip')} RFL=${value('eflags')} [${letters}] CPL=${cpl} II=0 A20=1 SMM=0 HLT=${halted}`,
    ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name) => segment(name.toUpperCase(), name, value)),
    segment('LDT', 'ldtr', value),
    segment('TR', 'tr', value),
    `GDT=     ${value('gdtr_base')} ${value('gdtr_limit')}`,
    `IDT=     ${value('idtr_base')} ${value('idtr_limit')}`,
    `CR0=${value('cr0').slice(8)} CR2=${value('cr2')} CR3=${value('cr3')} CR4=${value('cr4').slice(8)}`,
    ['dr0', 'dr1', 'dr2', 'dr3'].map((name) => `${name.toUpperCase()}=${value(name)}`).join(' '),
    `DR6=${value('dr6')} DR7=${value('dr7')}`,
    `EFER=${value('efer')}`,
    '',
  ].join('\n');
}

/** Selector, base, limit and the high half of the descriptor, into whose bits 8 to 23 the attributes go. */
function segment(label: string, name: string, value: (name: string) => string): string {
  const attributes = Number.parseInt(value(`${name}_attr`), 16);
  const high = ((attributes & 0xff) << 8) | ((attributes & 0xf000) << 8);
  const words = [
    value(name).slice(4),
    value(`${name}_base`),
    value(`${name}_limit`),
    high.toString(16).padStart(8, '0'),
  ];
  return `${label.padEnd(3)}=${words.join(' ')} DPL=${(attributes >> 5) & 3}`;
}
