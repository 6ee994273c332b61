/** Stop replies (GDB manual, E.3): why a vCPU stopped, or how the guest ended. */
import type { Machine, Stop } from '../machine/api.ts';
import { hex } from '../protocol/hex.ts';
import type { GuestEnd } from '../protocol/inspect.ts';
import { bytesToHex, textToHex } from '../protocol/rsp.ts';
import { registersByName } from '../protocol/target-description.ts';
import { threadId } from './packets/threads.ts';

/** Signal numbers are gdb's own, not the host's. */
const SIGNALS: Readonly<Record<Stop['reason']['kind'], number>> = {
  entry: 5,
  pause: 2,
  step: 5,
  breakpoint: 5,
  watchpoint: 5,
  event: 5,
  'triple-fault': 11,
  'emulation-failure': 4,
  'internal-error': 6,
};

const WATCH = { write: 'watch', read: 'rwatch', access: 'awatch' } as const;

/** Registers that every client asks for first come with the stop and save it a round trip. */
const EXPEDITED = ['rip', 'rsp', 'rbp'] as const;

/** `features` are the client's: `swbreak` and `hwbreak` go only to those who know them. */
export function stopReply(machine: Machine, stop: Stop, features: ReadonlySet<string>): string {
  const signal = SIGNALS[stop.reason.kind].toString(16).padStart(2, '0');
  return `T${signal}${[...reasonFields(stop, features), `thread:${threadId(stop.vcpu)}`, ...expedited(machine, stop)].join(';')};`;
}

function reasonFields({ reason }: Stop, features: ReadonlySet<string>): string[] {
  if (reason.kind === 'breakpoint') {
    const field = reason.hardware ? 'hwbreak' : 'swbreak';
    return features.has(`${field}+`) ? [`${field}:`] : [];
  }
  if (reason.kind === 'watchpoint') return [`${WATCH[reason.access]}:${reason.address.toString(16)}`];
  const message = faultMessage({ reason });
  // GDB skips fields that it does not know.
  const vectors = 'vectors' in reason && reason.vectors ? [`vectors:${reason.vectors.map(hexDigits).join(',')}`] : [];
  return message === undefined ? [] : ['reason:exception', ...vectors, `description:${textToHex(message)}`];
}

const hexDigits = (value: number) => value.toString(16);

/** What to tell a person about a stop that the guest cannot go on from. */
export function faultMessage({ reason }: Pick<Stop, 'reason'>): string | undefined {
  return 'message' in reason ? reason.message : undefined;
}

/** A line for the user's terminal about a stop whose reply does not say it all. */
export function stopMessage(stop: Stop): string | undefined {
  if (!('problem' in stop.reason) || stop.reason.problem === undefined) return faultMessage(stop);
  return `The condition of the breakpoint at ${hex(stop.reason.address)} ${stop.reason.problem}.`;
}

function expedited(machine: Machine, stop: Stop): string[] {
  const vcpu = machine.vcpus[stop.vcpu];
  return EXPEDITED.flatMap((name) => {
    const regnum = registersByName.get(name)?.regnum ?? 0;
    return vcpu ? [`${regnum.toString(16).padStart(2, '0')}:${bytesToHex(vcpu.registers.read(name))}`] : [];
  });
}

/** `W` and the exit status, or `X` and the signal for a guest that was put to an end. */
export function endReply(end: GuestEnd): string {
  if (end.cause === 'killed') return 'X09';
  return `W${(end.exitStatus & 0xff).toString(16).padStart(2, '0')}`;
}
