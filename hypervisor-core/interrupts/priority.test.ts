import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CHIP, decodePic, PIC } from './irqchip.ts';
import { decodeLapic, LAPIC_REGISTER } from './lapic.ts';
import { waitingVector } from './priority.ts';
import { decodeVcpuEvents, VCPU_EVENTS } from './vcpu-events.ts';

/** Input 6 of both PICs. */
const MASKED = 0x40;

/** An 8259A at these vectors with these inputs requested and in service; `first` has the highest priority. */
function pic(name: 'master' | 'slave', irqBase: number, irr: number, isr = 0, first = 0) {
  const chip = new Uint8Array(CHIP + 16);
  chip[CHIP + PIC.irqBase] = irqBase;
  chip[CHIP + PIC.irr] = irr;
  chip[CHIP + PIC.imr] = MASKED;
  chip[CHIP + PIC.isr] = isr;
  chip[CHIP + PIC.priorityAdd] = first;
  return decodePic(name, chip);
}

interface Given {
  /** Vectors requested. */
  readonly lapic?: readonly number[];
  readonly tpr?: number;
  readonly master?: number;
  readonly slave?: number;
  readonly inService?: number;
  readonly first?: number;
  readonly nmi?: 'pending' | 'masked';
}

function state({ lapic = [], tpr = 0, master = 0, slave = 0, inService = 0, first = 0, nmi }: Given) {
  const page = Buffer.alloc(0x400);
  for (const vector of lapic) {
    const at = LAPIC_REGISTER.irr + (vector >> 5) * 16;
    page.writeUInt32LE((page.readUInt32LE(at) | (1 << (vector & 31))) >>> 0, at);
  }
  page.writeUInt32LE(tpr, LAPIC_REGISTER.tpr);
  const events = new Uint8Array(64);
  events[VCPU_EVENTS['nmi.pending']] = Number(nmi !== undefined);
  events[VCPU_EVENTS['nmi.masked']] = Number(nmi === 'masked');
  return {
    lapic: decodeLapic(page, 0xfee0_0900n),
    pic: [pic('master', 0x20, master, inService, first), pic('slave', 0x28, slave)],
    pending: decodeVcpuEvents(events, 0),
  };
}

describe('the interrupt that waits', () => {
  const cases: readonly { readonly name: string; readonly given: Given; readonly vector: number | undefined }[] = [
    { name: 'the highest of the local APIC', given: { lapic: [0x31, 0x62, 0x40] }, vector: 0x62 },
    { name: 'of the local APIC above the task priority', given: { lapic: [0x62], tpr: 0x50 }, vector: 0x62 },
    { name: 'none below it', given: { lapic: [0x62], tpr: 0x60 }, vector: undefined },
    { name: 'before those of the PIC', given: { lapic: [0x31], master: 1 }, vector: 0x31 },
    { name: 'of the master PIC', given: { master: 0b1000_0010 }, vector: 0x21 },
    { name: 'of the master PIC with turned priorities', given: { master: 0b1000_0010, first: 5 }, vector: 0x27 },
    { name: 'of the slave, through the master', given: { master: 0b100, slave: 0b1_0000 }, vector: 0x2c },
    { name: 'none of the master PIC that is masked', given: { master: MASKED }, vector: undefined },
    { name: 'none of the master PIC below one in service', given: { master: 0b10, inService: 1 }, vector: undefined },
    { name: 'of the master PIC above one in service', given: { master: 1, inService: 0b10 }, vector: 0x20 },
    { name: 'an NMI before all others', given: { lapic: [0x31], nmi: 'pending' }, vector: 2 },
    { name: 'no NMI while one is handled', given: { lapic: [0x31], nmi: 'masked' }, vector: 0x31 },
    { name: 'none', given: {}, vector: undefined },
  ];
  for (const { name, given, vector } of cases) {
    test(name, () => assert.equal(waitingVector(state(given)), vector));
  }
});
