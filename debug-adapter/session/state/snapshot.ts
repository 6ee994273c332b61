/** The state at a stop: the parts that visible views ask for, each failing by itself. */
import { parseHex } from '../../../hypervisor-core/protocol/hex.ts';
import type { MachineSnapshot, PagesChoice, PartError, StatePart } from '../../protocol/custom.ts';
import type { Frame } from '../../symbols/api.ts';
import { describeError } from '../errors.ts';
import type { Session } from '../session.ts';
import { addressSpacePart } from './address-space-part.ts';
import { exitsPart } from './exits-part.ts';
import { hypercallsPart } from './hypercalls-part.ts';
import { interruptsPart } from './interrupts-part.ts';
import { memoryMapPart } from './memory-map-part.ts';
import { pageTablesPart } from './page-tables-part.ts';
import { registersPart } from './registers-part.ts';
import { tasksPart } from './tasks-part.ts';
import { vcpusPart } from './vcpus-part.ts';

type Part<Name extends StatePart> = NonNullable<MachineSnapshot[Name]>;

interface Choice {
  readonly pages: PagesChoice;
  /** Whose registers; the innermost when undefined. */
  readonly frame: Frame | undefined;
}

/** How each part is made. Those of the processor throw while the guest runs; the others do not need it to stand still. */
const MAKERS = {
  registers: (session, thread, { frame }) => registersPart(session.stopped, thread, frame),
  pageTables: (session, thread, { pages: { cr3 } }) => pageTablesPart(session.stopped, thread, cr3 && parseHex(cr3)),
  addressSpace: (session, thread, { pages }) => addressSpacePart(session, session.stopped, thread, pages),
  interrupts: (session, thread) => interruptsPart(session.stopped, thread),
  hypercalls: (session) => hypercallsPart(session.guest),
  exits: (session) => exitsPart(session.guest),
  vcpus: (session) => vcpusPart(session),
  memoryMap: (session, thread) => memoryMapPart(session.guest, { session, thread }),
  tasks: (session) => tasksPart(session.guest, session.stopped),
} satisfies {
  readonly [Name in StatePart]: (session: Session, thread: number, choice: Choice) => Promise<Part<Name>>;
};

export const STATE_PARTS = Object.keys(MAKERS) as readonly StatePart[];

export async function snapshot(
  session: Session,
  thread: number,
  parts: ReadonlySet<StatePart>,
  choice: Choice,
): Promise<MachineSnapshot> {
  const made = await Promise.all([...parts].map((part) => onePart(session, thread, part, choice)));
  return Object.assign({ threadId: thread }, ...made);
}

/** A snapshot of one part only; what went wrong is in it. */
export async function onePart(
  session: Session,
  thread: number,
  part: StatePart,
  choice: Choice,
): Promise<MachineSnapshot> {
  const error = (failure: unknown): PartError => ({ error: describeError(failure).message });
  const value = await attempt<unknown>(() => MAKERS[part](session, thread, choice)).catch(error);
  const made: MachineSnapshot = { threadId: thread, [part]: value };
  // What stays when the guest ends is the vCPU's.
  if (part !== 'registers' || !choice.frame) session.last.keep(made);
  return made;
}

/** Turns a throw into a rejection. */
async function attempt<Result>(make: () => Promise<Result>): Promise<Result> {
  return make();
}
