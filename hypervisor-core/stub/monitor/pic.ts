/** `monitor info pic`: the I/O APIC and both 8259As, laid out as QEMU lays them out. */
import { parseHex } from '../../protocol/hex.ts';
import type { InterruptState, IoapicPin, IoapicState, PicState } from '../../protocol/inspect.ts';

/** By bits 8 to 10 of a redirection entry. */
const DELIVERY = ['fixed', 'lowest', 'SMI', '...', 'NMI', 'INIT', '...', 'extINT'];
const FIRST_REDIRECTION = 0x10;

const byte = (value: number) => value.toString(16).padStart(2, '0');

export function picText({ ioapic, pic }: InterruptState): string {
  return [...(ioapic ? ioapicLines(ioapic) : []), ...[...pic].reverse().map(picLine), ''].join('\n');
}

function ioapicLines({ version, id, select, pins }: IoapicState): string[] {
  const shown = select === 0 ? '' : ` (redir[${((select - FIRST_REDIRECTION) >> 1) >>> 0}])`;
  return [
    `ioapic0: ver=0x${version.toString(16)} id=0x${byte(id)} sel=0x${byte(select)}${shown}`,
    ...pins.map(pinLine),
    pinList('IRR', pins, ({ pending }) => pending),
    pinList('Remote IRR', pins, ({ remoteIrr }) => remoteIrr),
  ];
}

function pinLine({ pin, raw, vector, trigger, polarity, masked, destinationMode, destination }: IoapicPin): string {
  const entry = parseHex(raw);
  const logical = destinationMode === 'logical';
  return [
    `  pin ${String(pin).padEnd(2)} 0x${entry.toString(16).padStart(16, '0')}`,
    `dest=${(destination & (logical ? 0xff : 0xf)).toString(16)}`,
    `vec=${String(vector).padEnd(3)}`,
    polarity === 'low' ? 'active-lo' : 'active-hi',
    trigger.padEnd(5),
    (masked ? 'masked' : '').padEnd(6),
    (DELIVERY[Number((entry >> 8n) & 7n)] ?? '').padEnd(6),
    destinationMode,
  ].join(' ');
}

function pinList(name: string, pins: readonly IoapicPin[], wanted: (pin: IoapicPin) => boolean): string {
  const found = pins.filter(wanted).map(({ pin }) => `${String(pin).padEnd(2)} `);
  return `  ${name.padEnd(8)} ${found.length === 0 ? '(none)' : found.join('')}`;
}

function picLine({ name, irr, imr, isr, highestPriority, vectorBase, readsIsr, elcr, fullyNested }: PicState): string {
  const flag = (set: boolean) => (set ? 1 : 0);
  return (
    `pic${name === 'master' ? 0 : 1}: irr=${byte(irr)} imr=${byte(imr)} isr=${byte(isr)} hprio=${highestPriority} ` +
    `irq_base=${byte(vectorBase)} rr_sel=${flag(readsIsr)} elcr=${byte(elcr)} fnm=${flag(fullyNested)}`
  );
}
