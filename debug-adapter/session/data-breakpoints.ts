/** Watchpoints: on a variable, an expression, or an address with a size. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import type { Value } from '../expressions/api.ts';
import type { Area } from './area.ts';
import { address, objects, optionalInteger, text } from './arguments.ts';
import type { BreakpointRequest, DataAccess } from './breakpoint-request.ts';
import { MOST_BREAKPOINTS, replaceBreakpoints, termsOf } from './breakpoints.ts';
import { badArgument } from './errors.ts';
import type { Session } from './session.ts';
import { valueNamed } from './variables.ts';

/** Bytes of one watched range. */
const LONGEST = 1 << 20;
const ACCESS: Readonly<Record<DebugProtocol.DataBreakpointAccessType, DataAccess>> = {
  read: 'read',
  write: 'write',
  readWrite: 'access',
};

interface Range {
  readonly address: bigint;
  readonly length: number;
}

export const dataBreakpoints: Area = {
  capabilities: { supportsDataBreakpoints: true, supportsDataBreakpointBytes: true },
  handlers: {
    dataBreakpointInfo: async (session, args) => {
      const name = text('name', args.name);
      const bytes = optionalInteger('bytes', args.bytes, 0, LONGEST, 0);
      const range = args.asAddress
        ? { address: address('name', name), length: bytes || 1 }
        : await rangeOf(session, args, name, bytes);
      if (typeof range === 'string') return { dataId: null, description: range };
      return {
        dataId: `${hex(range.address)}/${range.length}`,
        description: `${name} (${range.length} byte${range.length === 1 ? '' : 's'} at ${hex(range.address)})`,
        accessTypes: ['write', 'read', 'readWrite'],
        // What is on a stack means something else in the next session.
        canPersist: args.asAddress === true || isStatic(session, range.address),
      };
    },

    setDataBreakpoints: (session, args) => {
      const wanted = objects('breakpoints', args.breakpoints, MOST_BREAKPOINTS);
      return replaceBreakpoints(session, 'data', wanted.map(requestOf));
    },
  },
};

/** The memory of a variable or expression, or words on why it has none. */
async function rangeOf(
  session: Session,
  args: DebugProtocol.DataBreakpointInfoArguments,
  name: string,
  bytes: number,
): Promise<Range | string> {
  const { value, size } = await valueNamed(session, args, name);
  const range = memoryOf(value, bytes || size);
  return range ?? `${name} is not in memory: a register or a computed value cannot be watched.`;
}

function memoryOf({ place, bits }: Value, size: number): Range | undefined {
  if (place.kind !== 'memory' || size === 0 || size > LONGEST) return undefined;
  if (!bits) return { address: place.address, length: size };
  const first = Math.floor(bits.offset / 8);
  const last = Math.floor((bits.offset + bits.size - 1) / 8);
  return { address: place.address + BigInt(first), length: last - first + 1 };
}

function isStatic({ guest }: Session, at: bigint): boolean {
  const sections = guest.symbols?.sections ?? [];
  return sections.some(({ address: start, size }) => at >= start && at < start + size);
}

function requestOf(breakpoint: DebugProtocol.DataBreakpoint): BreakpointRequest {
  const [, at, length] = /^(0x[0-9a-f]{1,16})\/(\d{1,7})$/.exec(text('dataId', breakpoint.dataId, 64)) ?? [];
  if (at === undefined || Number(length) < 1 || Number(length) > LONGEST) {
    throw badArgument('dataId', 'must come from dataBreakpointInfo');
  }
  const access = ACCESS[breakpoint.accessType ?? 'write'];
  if (access === undefined) throw badArgument('accessType', 'must be read, write or readWrite');
  return { kind: 'data', address: BigInt(at), length: Number(length), access, ...termsOf(breakpoint) };
}
