/** `monitor info lapic`. */
import type { InterruptState } from '../../protocol/inspect.ts';

export function lapicText({ vcpu, lapic }: InterruptState): string {
  if (!lapic) return `vCPU ${vcpu} has no local APIC\n`;
  const word = (value: number) => `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
  const vectors = (list: readonly number[]) => (list.length === 0 ? '(none)' : list.join(' '));
  return [
    `local APIC state of vCPU ${vcpu}: id ${lapic.id}, ${lapic.mode}, base ${lapic.base}`,
    ...lapic.lvt.map(
      ({ name, raw, vector, delivery, masked, pending }) =>
        `LVT ${name.padEnd(8)} ${word(raw)} vector ${vector} ${delivery}${masked ? ' masked' : ''}${pending ? ' pending' : ''}`,
    ),
    `Timer   ${lapic.timer.mode} divide ${lapic.timer.divide} initial ${lapic.timer.initialCount} current ${lapic.timer.currentCount}`,
    `SPIV    ${word(lapic.svr)} APIC ${lapic.softwareEnabled ? 'enabled' : 'disabled'}`,
    `ICR     ${lapic.icr}`,
    `ESR     ${word(lapic.esr)}`,
    `TPR     ${word(lapic.tpr)}  PPR ${word(lapic.ppr)}  LDR ${word(lapic.ldr)}  DFR ${word(lapic.dfr)}`,
    `ISR     ${vectors(lapic.isr)}`,
    `IRR     ${vectors(lapic.irr)}`,
    `TMR     ${vectors(lapic.tmr)}`,
    '',
  ].join('\n');
}
