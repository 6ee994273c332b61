/**
 * Guests that each leave an interrupt requested and not delivered, for one reason each. 32-bit code for multiboot; all end
 * halted with interrupts off, so that nothing changes any more.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { multiboot1Image } from './boot-files.ts';

export interface HeldInterrupt {
  readonly reason: string;
  readonly code: string;
  /** Source of the interrupt, and the link that holds it with words of its text. */
  readonly source: string;
  readonly link: string;
  readonly text: RegExp;
  /** What the chips hold, by KVM and by QEMU. */
  readonly chips: Chips;
}

/** Vectors of the local APIC; of the master PIC whether IR0 is requested, and its ISR and IMR; the low half of a pin's entry. */
export interface Chips {
  readonly irr: readonly number[];
  readonly isr: readonly number[];
  readonly tpr: number;
  readonly pic?: { readonly ir0: number; readonly isr: number; readonly imr: number; readonly vectorBase: number };
  readonly pin?: { readonly pin: number; readonly raw: number };
}

const quiet: Chips = { irr: [], isr: [], tpr: 0 };
const pic = (isr: number, imr: number): NonNullable<Chips['pic']> => ({ ir0: 1, isr, imr, vectorBase: 0x20 });

const LAPIC = 0xfee0_0000;
const IOAPIC = 0xfec0_0000;
const lapic = (register: number, value: number) => `movl $${value}, ${LAPIC + register}\n`;
export const ioapic = (register: number, value: number) =>
  `movl $${register}, ${IOAPIC}\nmovl $${value}, ${IOAPIC + 0x10}\n`;
export const out = (port: number, value: number) => `movw $${port}, %dx\nmovb $${value}, %al\noutb %al, %dx\n`;

/** SVR: switched on, spurious vector 0xff. */
const ON = lapic(0xf0, 0x1ff);
const selfInterrupt = (vector: number) => lapic(0x300, 0x4_4000 | vector);
/** LINT0 masked, so that the PIC says nothing. */
const NO_PIC = lapic(0x350, 0x1_0700);
const LINT0_EXTINT = lapic(0x350, 0x700);

/** Both PICs at vectors 0x20 and 0x28 with these masks. */
export const pics = (master: number, slave = 0xff) =>
  [
    [0x20, 0x11],
    [0x21, 0x20],
    [0x21, 4],
    [0x21, 1],
    [0xa0, 0x11],
    [0xa1, 0x28],
    [0xa1, 2],
    [0xa1, 1],
    [0x21, master],
    [0xa1, slave],
  ]
    .map(([port = 0, value = 0]) => out(port, value))
    .join('');

/** Starts the PIT's channel 0 and waits until the PIC has its interrupt. */
const TICK = `
  ${out(0x43, 0x34)} ${out(0x40, 0)} ${out(0x40, 0x10)} ${out(0x20, 0x0a)}
1: inb $0x20, %al
  testb $1, %al
  jz 1b
`;

/** Lets one interrupt of \`vector\` in; its handler is at \`handler\` and never returns. */
const taken = (vector: number) => `
  movl $handler, %eax
  movw %ax, idt + ${8 * vector}
  movw %cs, idt + ${8 * vector + 2}
  movw $0x8e00, idt + ${8 * vector + 4}
  shrl $16, %eax
  movw %ax, idt + ${8 * vector + 6}
  lidt idtr
  movl $stack, %esp
  sti
2: jmp 2b
idtr: .word 0x7ff
  .long idt
  .balign 8
idt: .fill 2048, 1, 0
  .fill 256, 1, 0
stack:
handler:
`;

/** Data and code after \`taken\` need the jump that the handler is entered by; \`cli\` comes with the interrupt gate. */
export const heldInterrupts: readonly HeldInterrupt[] = [
  {
    reason: 'interrupts are off',
    code: NO_PIC + ON + selfInterrupt(0x40),
    source: 'local APIC',
    link: 'RFLAGS.IF',
    text: /interrupts are off/,
    chips: { ...quiet, irr: [0x40] },
  },
  {
    reason: 'the task priority is above it',
    code: NO_PIC + ON + lapic(0x80, 0x50) + selfInterrupt(0x40),
    source: 'local APIC',
    link: 'priority',
    text: /TPR is 0x50, which lets through vectors from 0x60 on/,
    chips: { ...quiet, irr: [0x40], tpr: 0x50 },
  },
  {
    reason: 'the handler before it has not sent EOI',
    code: NO_PIC + ON + selfInterrupt(0x48) + taken(0x48) + selfInterrupt(0x41),
    source: 'local APIC',
    link: 'priority',
    text: /vector 0x48 is in service and no end of interrupt/,
    chips: { ...quiet, irr: [0x41], isr: [0x48] },
  },
  {
    reason: 'the PIC masks the line',
    code: NO_PIC + pics(0xff) + TICK,
    source: 'PIC master IR0',
    link: 'mask',
    text: /bit 0 of IMR \(0xff\)/,
    chips: { ...quiet, pic: pic(0, 0xff) },
  },
  {
    reason: 'LINT0 is masked',
    code: ON + NO_PIC + pics(0xfe) + TICK,
    source: 'PIC master IR0',
    link: 'LINT0',
    text: /masked in the local vector table/,
    chips: { ...quiet, pic: pic(0, 0xfe) },
  },
  {
    reason: 'interrupts are off for the PIC',
    code: ON + LINT0_EXTINT + pics(0xfe) + TICK,
    source: 'PIC master IR0',
    link: 'RFLAGS.IF',
    text: /interrupts are off/,
    chips: { ...quiet, pic: pic(0, 0xfe) },
  },
  {
    reason: 'the PIC waits for EOI',
    code: ON + LINT0_EXTINT + pics(0xfe) + TICK + taken(0x20) + TICK,
    source: 'PIC master IR0',
    link: 'in service',
    text: /IR0 is in service and no end of interrupt/,
    chips: { ...quiet, pic: pic(1, 0xfe) },
  },
  {
    reason: 'no local APIC has the id',
    code: ON + NO_PIC + pics(0xff) + ioapic(0x15, 5 << 24) + ioapic(0x14, 0x41) + TICK,
    source: 'I/O APIC pin 2',
    link: 'destination',
    text: /physical 0x05 is no local APIC; there are ids 0/,
    chips: { ...quiet, pin: { pin: 2, raw: 0x41 } },
  },
  {
    // The serial port has an empty transmitter, which it says at once and goes on saying.
    reason: 'a level-triggered pin waits for EOI',
    code: ON + NO_PIC + ioapic(0x19, 0) + ioapic(0x18, 0x8042) + out(0x3fc, 8) + out(0x3f9, 2),
    source: 'I/O APIC pin 4',
    link: 'remote IRR',
    text: /vector 0x42 was sent and no end of interrupt/,
    chips: { ...quiet, irr: [0x42], pin: { pin: 4, raw: 0xc042 } },
  },
];

/** The guest as a file that QEMU and Ringside can boot. */
export function buildHeld({ code }: Pick<HeldInterrupt, 'code'>): { readonly image: Buffer; save(path: string): void } {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-held-'));
  try {
    const source = join(folder, 'guest.S');
    const [object, flat] = [join(folder, 'guest.o'), join(folder, 'guest.bin')];
    writeFileSync(source, `.text\n.globl _start\n_start: cli\n${code}\n9: hlt\njmp 9b\n`);
    execFileSync('gcc', ['-m32', '-c', source, '-o', object]);
    execFileSync('ld', ['-m', 'elf_i386', '-Ttext', '0x100020', '--oformat', 'binary', object, '-o', flat]);
    const image = multiboot1Image(readFileSync(flat));
    return { image, save: (path) => writeFileSync(path, image) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
