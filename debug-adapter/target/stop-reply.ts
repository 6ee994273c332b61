/** Stop replies (GDB manual, appendix E.3) in the words of {@link Target}. */
import { hexToBytes, parseNumber, parseThreadId } from '../../hypervisor-core/protocol/rsp.ts';
import type { StopReason, TargetEnd, TargetStop } from './target.ts';

export type StopReply =
  | { readonly kind: 'stop'; readonly stop: TargetStop }
  | { readonly kind: 'end'; readonly end: TargetEnd };

const SIGINT = 2;
const SIGTRAP = 5;
const SIGSEGV = 11;
const ACCESS = { watch: 'write', rwatch: 'read', awatch: 'access' } as const;

/**
 * Parses a stop reply; undefined for anything else. Stubs that do not tell a step's end from a breakpoint (QEMU) leave
 * that to `stepping`, what the last resume asked for. A stop that names no thread is of `thread`.
 */
export function parseStopReply(payload: string, stepping: boolean, thread = 1): StopReply | undefined {
  const code = Number.parseInt(payload.slice(1, 3), 16);
  if (Number.isNaN(code)) return undefined;
  switch (payload[0]) {
    case 'W':
      return { kind: 'end', end: { exitStatus: code, message: `The guest ended with status ${code}.` } };
    case 'X':
      return { kind: 'end', end: { exitStatus: 128 + code, message: `The guest was ended by signal ${code}.` } };
    case 'S':
      return { kind: 'stop', stop: { thread, reason: reason(code, new Map(), stepping) } };
    case 'T': {
      const fields = new Map(
        payload
          .slice(3)
          .split(';')
          .map((field) => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1)] as const),
      );
      const named = parseThreadId(fields.get('thread') ?? '');
      return {
        kind: 'stop',
        stop: { thread: typeof named === 'number' ? named : thread, reason: reason(code, fields, stepping) },
      };
    }
    default:
      return undefined;
  }
}

function reason(signal: number, fields: ReadonlyMap<string, string>, stepping: boolean): StopReason {
  for (const [field, access] of Object.entries(ACCESS)) {
    const address = parseNumber(fields.get(field) ?? '');
    if (address !== undefined) return { kind: 'watchpoint', address, access };
  }
  if (fields.has('swbreak')) return { kind: 'breakpoint', hardware: false };
  if (fields.has('hwbreak')) return { kind: 'breakpoint', hardware: true };
  // Our core says in words why a guest cannot go on, or what it did that it was to be stopped at.
  const message = hexToBytes(fields.get('description') ?? '');
  if (message && message.length > 0) {
    const text = Buffer.from(message).toString('utf8');
    const vectors = (fields.get('vectors') ?? '').split(',').map((digits) => parseNumber(digits));
    const known = vectors.flatMap((vector) => (vector !== undefined && vector < 256n ? [Number(vector)] : []));
    if (known.length > 0) return { kind: 'exception', message: text, vectors: known };
    if (signal === SIGTRAP && !fields.has('vectors')) return { kind: 'event', message: text };
    return { kind: 'fault', message: text, ...(signal === SIGSEGV && { tripleFault: true }) };
  }
  if (signal === SIGINT || signal === 0) return { kind: 'pause' };
  if (signal === SIGTRAP) return stepping ? { kind: 'step' } : { kind: 'breakpoint', hardware: false };
  return { kind: 'fault', message: `The guest stopped with signal ${signal}.` };
}
