/**
 * Which of several requests goes first, and what holds the others: Intel SDM vol. 3A 11.8.3; Intel 8259A datasheet,
 * "Priority resolver".
 */
import type { InterruptState, LapicState, PicState } from '../protocol/inspect.ts';
import { NMI_VECTOR } from './vectors.ts';

/** The master's input that the slave is at. */
export const CASCADE = 2;

/** The class, 0 to 15, of vectors that are held: the higher one of TPR's and of the highest vector's in service. */
export const processorClass = ({ tpr, isr }: Pick<LapicState, 'tpr' | 'isr'>): number =>
  Math.max(tpr >> 4, Math.max(0, ...isr) >> 4);

/** The inputs of an 8259A, the one of the highest priority first. */
export const inputsByPriority = ({ highestPriority }: Pick<PicState, 'highestPriority'>): number[] =>
  Array.from({ length: 8 }, (_, rank) => (rank + highestPriority) & 7);

/** Which of `inputs` is set in `bits`; the first of several. */
export const firstOf = (inputs: readonly number[], bits: number): number | undefined =>
  inputs.find((input) => bits & (1 << input));

/**
 * The vector that a vCPU with interrupts enabled takes next, by what its controllers hold requested; undefined for none.
 */
export function waitingVector({ pending, lapic, pic }: Waiting): number | undefined {
  if (pending.nmi.pending && !pending.nmi.masked) return NMI_VECTOR;
  const highest = lapic && Math.max(...lapic.irr, 0);
  return highest && highest >> 4 > processorClass(lapic) ? highest : picVector(pic);
}

type Waiting = Pick<InterruptState, 'pending' | 'lapic' | 'pic'>;

function picVector([master, slave]: InterruptState['pic']): number | undefined {
  const chip = requested(master) === CASCADE ? slave : master;
  const input = requested(chip);
  return chip && input !== undefined ? chip.vectorBase + input : undefined;
}

/** The input of the highest priority that is requested and neither masked nor held by one in service. */
function requested(chip: PicState | undefined): number | undefined {
  if (!chip) return undefined;
  const first = firstOf(inputsByPriority(chip), (chip.irr & ~chip.imr) | chip.isr);
  return first === undefined || chip.isr & (1 << first) ? undefined : first;
}
