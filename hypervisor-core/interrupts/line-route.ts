/** What the controllers make of an interrupt line when it is raised: 82093AA 3.2.4; 8259A, "Interrupt sequence". */
import type { IoapicPin, PicState } from '../protocol/inspect.ts';
import { decodeIoapic, decodePic } from './irqchip.ts';
import { CASCADE } from './priority.ts';

/** Inputs of one 8259A. */
const INPUTS = 8;

/** Both where no chip masks the line: KVM wires each line to both. */
export interface LineRoute {
  readonly pin?: IoapicPin;
  readonly picVector?: number;
}

/** `chips`: KVM_GET_IRQCHIP of master, slave and I/O APIC, of which only those that matter are asked for. */
export function lineRoute(
  line: number,
  chips: { pic(name: PicState['name']): Uint8Array; ioapic(): Uint8Array },
): LineRoute {
  const pin = decodeIoapic(chips.ioapic()).pins[line];
  const picVector = line < 2 * INPUTS ? vectorOfPic(line, (name) => decodePic(name, chips.pic(name))) : undefined;
  return { ...(pin && !pin.masked && { pin }), ...(picVector !== undefined && { picVector }) };
}

function vectorOfPic(line: number, chip: (name: PicState['name']) => PicState): number | undefined {
  const master = chip('master');
  // KVM's deliver before anybody has programmed them, too: at vectors from 0 on.
  const through = (one: PicState, input: number) => (one.imr & (1 << input) ? undefined : one.vectorBase + input);
  if (line < INPUTS) return through(master, line);
  return through(master, CASCADE) === undefined ? undefined : through(chip('slave'), line - INPUTS);
}
