/** Negotiation, the reason of the last stop, and the ways to part: `qSupported QStartNoAckMode ? qAttached D ! R k vKill`. */
import { MAX_PACKET } from '../../protocol/rsp.ts';
import { malformed, type PacketHandler } from '../packet.ts';
import { endReply, stopReply } from '../stop-reply.ts';

/** `features` are those of all handlers; they are known only when the table is complete. */
const supported = (features: () => readonly string[]): PacketHandler => ({
  name: 'qSupported',
  handle(client, rest) {
    client.features = new Set(rest.slice(1).split(';'));
    return [`PacketSize=${MAX_PACKET.toString(16)}`, ...features()].join(';');
  },
});

const noAck: PacketHandler = {
  name: 'QStartNoAckMode',
  feature: 'QStartNoAckMode+',
  handle(client) {
    client.stopAcknowledging();
    return 'OK';
  },
};

const lastStop: PacketHandler = {
  name: '?',
  handle: ({ machine, lastStop: stop, features }) =>
    machine.state.kind === 'ended' ? endReply(machine.state.end) : stopReply(machine, stop, features),
};

/** The guest was there before the debugger: gdb detaches from it when it quits, and does not kill it. */
const attached: PacketHandler = { name: 'qAttached', handle: () => '1' };

const noSymbolsWanted: PacketHandler = { name: 'qSymbol', handle: () => 'OK' };

const detach: PacketHandler = {
  name: 'D',
  handle(client, rest) {
    if (!/^(;[0-9a-fA-F]{1,8})?$/.test(rest)) throw malformed('D');
    client.breakpoints.clear();
    client.leave();
    const { machine } = client;
    if (machine.state.kind === 'stopped') {
      machine.resume(machine.vcpus.map(({ index }) => ({ vcpu: index, action: { kind: 'continue' } })));
    }
    return 'OK';
  },
};

const kill = (name: 'k' | 'vKill', reply: string | undefined): PacketHandler => ({
  name,
  whileRunning: true,
  handle(client) {
    client.leave();
    client.machine.kill();
    return reply;
  },
});

/** "Extended mode": the client may restart the guest, and is not through when it has ended. */
const extended: PacketHandler = { name: '!', handle: () => 'OK' };

/** Back to before the first instruction, also after the guest's end. The manual gives it no reply; `?` is asked next. */
const restart: PacketHandler = {
  name: 'R',
  async handle(client) {
    await client.machine.snapshots.restart();
    return undefined;
  },
};

export const sessionPackets = (features: () => readonly string[]): readonly PacketHandler[] => [
  supported(features),
  noAck,
  lastStop,
  attached,
  noSymbolsWanted,
  detach,
  extended,
  restart,
  kill('k', undefined),
  kill('vKill', 'OK'),
];
