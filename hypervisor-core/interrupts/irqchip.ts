/** Decodes `struct kvm_irqchip` (8259A pair, I/O APIC) and `struct kvm_pit_state2` (8254), linux/kvm.h and asm/kvm.h. */
import { hex } from '../protocol/hex.ts';
import type { IoapicPin, IoapicState, PicState, PitChannel } from '../protocol/inspect.ts';
import { deliveryModes } from './lapic.ts';

/** `struct kvm_irqchip`: the chip follows its number and padding. */
export const CHIP = 8;

/** Offsets in `struct kvm_pic_state`. */
export const PIC = {
  ...{ irr: 1, imr: 2, isr: 3, priorityAdd: 4, irqBase: 5, readRegisterSelect: 6 },
  ...{ initState: 9, autoEoi: 10, specialFullyNested: 12, elcr: 14 },
};

/** One 8259A of KVM_GET_IRQCHIP. */
export function decodePic(name: PicState['name'], irqchip: Uint8Array): PicState {
  const byte = (field: number) => irqchip[CHIP + field] ?? 0;
  const vectorBase = byte(PIC.irqBase);
  return {
    name,
    irr: byte(PIC.irr),
    isr: byte(PIC.isr),
    imr: byte(PIC.imr),
    vectorBase,
    autoEoi: byte(PIC.autoEoi) !== 0,
    elcr: byte(PIC.elcr),
    highestPriority: byte(PIC.priorityAdd),
    readsIsr: byte(PIC.readRegisterSelect) !== 0,
    fullyNested: byte(PIC.specialFullyNested) !== 0,
    // KVM counts the ICWs that are due; a chip that nobody has programmed has no vectors either.
    initialized: byte(PIC.initState) === 0 && vectorBase !== 0,
  };
}

/** Offsets in `struct kvm_ioapic_state`. */
const IOAPIC = { base: 0, select: 8, id: 12, irr: 16, redirection: 24 };
/** What KVM's says of itself. */
const VERSION = 0x11;
const PINS = 24;

/** The I/O APIC of KVM_GET_IRQCHIP; redirection entries as in the 82093AA datasheet 3.2.4. */
export function decodeIoapic(irqchip: Uint8Array): IoapicState {
  const view = new DataView(irqchip.buffer, irqchip.byteOffset + CHIP, irqchip.byteLength - CHIP);
  const irr = view.getUint32(IOAPIC.irr, true);
  return {
    id: view.getUint32(IOAPIC.id, true),
    version: VERSION,
    select: view.getUint32(IOAPIC.select, true),
    base: hex(view.getBigUint64(IOAPIC.base, true)),
    pins: Array.from({ length: PINS }, (_, pin) =>
      decodeIoapicPin(pin, view.getBigUint64(IOAPIC.redirection + pin * 8, true), ((irr >>> pin) & 1) !== 0),
    ),
  };
}

export function decodeIoapicPin(pin: number, raw: bigint, requested: boolean): IoapicPin {
  const low = Number(raw & 0xffff_ffffn);
  const bit = (number: number) => ((low >>> number) & 1) !== 0;
  const level = bit(15);
  return {
    pin,
    raw: hex(raw),
    vector: low & 0xff,
    delivery: deliveryModes[(low >>> 8) & 7] ?? 'reserved',
    destinationMode: bit(11) ? 'logical' : 'physical',
    destination: Number(raw >> 56n),
    trigger: level ? 'level' : 'edge',
    polarity: bit(13) ? 'low' : 'high',
    masked: bit(16),
    remoteIrr: bit(14),
    pending: requested || bit(12),
    // KVM's request bits follow the line of a level-triggered pin; of an edge they keep only that it came.
    asserted: level && requested,
  };
}

/** `struct kvm_pit_channel_state`: 24 bytes. */
export const PIT = { bytes: 24, count: 0, readWriteMode: 12, mode: 13, gate: 15 };

/** The three channels of KVM_GET_PIT2. */
export function decodePit(state: Uint8Array): PitChannel[] {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength);
  return [0, 1, 2].map((channel) => {
    const at = channel * PIT.bytes;
    return {
      channel,
      mode: view.getUint8(at + PIT.mode),
      count: view.getUint32(at + PIT.count, true) || 0x1_0000,
      gate: view.getUint8(at + PIT.gate) !== 0,
    };
  });
}
