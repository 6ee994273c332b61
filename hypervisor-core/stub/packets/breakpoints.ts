/** `Z z`: breakpoints and watchpoints. They are the stub's own, so guest memory never shows a trap. */
import type { BreakpointKind } from '../../machine/api.ts';
import { parseNumber } from '../../protocol/rsp.ts';
import { malformed, type PacketHandler } from '../packet.ts';

const KINDS: readonly BreakpointKind[] = ['software', 'hardware', 'write', 'read', 'access'];

const insert: PacketHandler = {
  name: 'Z',
  handle(client, rest) {
    const { kind, address, length } = parse(rest);
    client.breakpoints.insert(kind, address, length);
    return 'OK';
  },
};

const remove: PacketHandler = {
  name: 'z',
  handle(client, rest) {
    const { kind, address, length } = parse(rest);
    client.breakpoints.remove(kind, address, length);
    return 'OK';
  },
};

/** `type,address,kind`; what may follow a `;` was never offered. */
function parse(rest: string): { kind: BreakpointKind; address: bigint; length: number } {
  const [type = '', place = '', size = '', ...more] = rest.split(',');
  const kind = KINDS[Number(parseNumber(type) ?? -1n)];
  const address = parseNumber(place);
  const length = parseNumber(size);
  if (!kind || address === undefined || length === undefined || length > 0xffff_ffffn || more.length > 0) {
    throw malformed('Z');
  }
  return { kind, address, length: Number(length) };
}

/** `swbreak` and `hwbreak` are announced here because stop replies carry them for these breakpoints. */
export const breakpointPackets: readonly PacketHandler[] = [{ ...insert, feature: 'swbreak+;hwbreak+' }, remove];
