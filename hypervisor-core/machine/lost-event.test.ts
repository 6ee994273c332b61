import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CHIP, decodePic, PIC } from '../interrupts/irqchip.ts';
import { decodeLapic, LAPIC_REGISTER } from '../interrupts/lapic.ts';
import { decodeVcpuEvents } from '../interrupts/vcpu-events.ts';
import { lostVector } from './lost-event.ts';

const NMI_MASKED = 14;

/** An 8259A at these vectors with these inputs in service; `first` has the highest priority. */
function pic(name: 'master' | 'slave', irqBase: number, isr: number, first = 0) {
  const chip = new Uint8Array(CHIP + 16);
  chip[CHIP + PIC.irqBase] = irqBase;
  chip[CHIP + PIC.isr] = isr;
  chip[CHIP + PIC.priorityAdd] = first;
  return decodePic(name, chip);
}

interface Given {
  /** Vectors in service. */
  readonly lapic?: readonly number[];
  readonly master?: number;
  readonly slave?: number;
  readonly first?: number;
  readonly nmi?: boolean;
}

function state({ lapic = [], master = 0, slave = 0, first = 0, nmi = false }: Given) {
  const page = Buffer.alloc(0x400);
  for (const vector of lapic) {
    const at = LAPIC_REGISTER.isr + (vector >> 5) * 16;
    page.writeUInt32LE((page.readUInt32LE(at) | (1 << (vector & 31))) >>> 0, at);
  }
  const events = new Uint8Array(64);
  events[NMI_MASKED] = Number(nmi);
  return {
    lapic: decodeLapic(page, 0xfee0_0900n),
    pic: [pic('master', 0x20, master, first), pic('slave', 0x28, slave)],
    pending: decodeVcpuEvents(events, 0),
  };
}

describe('the interrupt that a KVM has lost', () => {
  const cases: readonly { readonly name: string; readonly given: Given; readonly vector: number | undefined }[] = [
    { name: 'the highest of the local APIC', given: { lapic: [0x31, 0x62, 0x40] }, vector: 0x62 },
    { name: 'before those of the PIC', given: { lapic: [0x31], master: 1 }, vector: 0x31 },
    { name: 'of the master PIC', given: { master: 0b1000_0010 }, vector: 0x21 },
    { name: 'of the master PIC with turned priorities', given: { master: 0b1000_0010, first: 5 }, vector: 0x27 },
    { name: 'of the slave, through the master', given: { master: 0b100, slave: 0b1_0000 }, vector: 0x2c },
    { name: 'an NMI before all others', given: { lapic: [0x31], nmi: true }, vector: 2 },
    { name: 'none', given: {}, vector: undefined },
  ];
  for (const { name, given, vector } of cases) {
    test(name, () => assert.equal(lostVector(state(given), true), vector));
  }

  test('none but an NMI while interrupts are off', () => {
    assert.equal(lostVector(state({ lapic: [0x31] }), false), undefined);
    assert.equal(lostVector(state({ nmi: true }), false), 2);
  });
});
