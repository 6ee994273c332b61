/**
 * `Z z`: breakpoints and watchpoints. They are the stub's own, so guest memory never shows a trap. `QTDV qTV`: the variables
 * that their expressions count in.
 */
import type { BreakpointKind } from '../../machine/api.ts';
import { type BreakpointOptions, parseBreakpointOptions } from '../../protocol/agent/breakpoint-options.ts';
import { AgentError } from '../../protocol/agent/program.ts';
import { parseNumber } from '../../protocol/rsp.ts';
import { type Client, ErrorCode, malformed, PacketError, type PacketHandler } from '../packet.ts';

const KINDS: readonly BreakpointKind[] = ['software', 'hardware', 'write', 'read', 'access'];

/**
 * Conditions and commands are evaluated beside the vCPU. `swbreak` and `hwbreak` are announced here because stop replies
 * carry them for these breakpoints.
 */
const insert: PacketHandler = {
  name: 'Z',
  feature: 'swbreak+;hwbreak+;ConditionalBreakpoints+;BreakpointCommands+',
  handle(client, rest) {
    const { kind, address, length, options } = parse(rest);
    client.breakpoints.insert(kind, address, length, options);
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

/** `type,address,kind`, and options from the first `;` on. */
function parse(rest: string): { kind: BreakpointKind; address: bigint; length: number; options: BreakpointOptions } {
  const semicolon = rest.includes(';') ? rest.indexOf(';') : rest.length;
  const [type = '', place = '', size = '', ...more] = rest.slice(0, semicolon).split(',');
  const kind = KINDS[Number(parseNumber(type) ?? -1n)];
  const address = parseNumber(place);
  const length = parseNumber(size);
  const options = parseBreakpointOptions(rest.slice(semicolon));
  if (!kind || address === undefined || length === undefined || length > 0xffff_ffffn || more.length > 0 || !options) {
    throw malformed('Z');
  }
  return { kind, address, length: Number(length), options };
}

/** `:n:value:builtin:name`, of which the first two count. The value is that of a new variable, or of an old one anew. */
const define: PacketHandler = {
  name: 'QTDV',
  handle(client, rest) {
    const [, index = '', value = ''] = rest.split(':');
    const number = parseNumber(value);
    if (number === undefined) throw malformed('QTDV');
    withVariable(client, index, (variables, position) => variables.set(position, number));
    return 'OK';
  },
};

const readVariable: PacketHandler = {
  name: 'qTV',
  handle(client, rest) {
    const value = withVariable(client, rest.slice(1), (variables, position) => variables.get(position));
    return `V${BigInt.asUintN(64, value).toString(16)}`;
  },
};

function withVariable<Result>(
  { machine }: Client,
  index: string,
  use: (variables: Client['machine']['variables'], position: number) => Result,
): Result {
  const position = parseNumber(index);
  if (position === undefined) throw malformed('trace state variable');
  try {
    return use(machine.variables, Number(position));
  } catch (error) {
    if (error instanceof AgentError) throw new PacketError(ErrorCode.invalid, `the packet ${error.message}`);
    throw error;
  }
}

export const breakpointPackets: readonly PacketHandler[] = [insert, remove, define, readVariable];
