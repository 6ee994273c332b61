/** `H T qC qfThreadInfo qsThreadInfo qThreadExtraInfo`: vCPUs as threads; thread 1 is the first. */
import { parseThreadId, textToHex } from '../../protocol/rsp.ts';
import { type Client, ErrorCode, malformed, PacketError, type PacketHandler } from '../packet.ts';

const select: PacketHandler = {
  name: 'H',
  handle(client, rest) {
    const thread = parseThreadId(rest.slice(1));
    if (thread === undefined) throw malformed('H');
    if (typeof thread === 'number') findVcpu(client, thread);
    if (rest[0] === 'c') client.continueThread = thread;
    else if (rest[0] !== 'g') throw malformed('H');
    else if (typeof thread === 'number') client.selectVcpu(thread - 1);
    return 'OK';
  },
};

const alive: PacketHandler = {
  name: 'T',
  handle(client, rest) {
    findVcpu(client, parseThreadId(rest));
    return 'OK';
  },
};

const current: PacketHandler = { name: 'qC', handle: ({ vcpu }) => `QC${threadId(vcpu.index)}` };

const firstThreads: PacketHandler = {
  name: 'qfThreadInfo',
  handle: ({ machine }) => `m${machine.vcpus.map(({ index }) => threadId(index)).join(',')}`,
};

const moreThreads: PacketHandler = { name: 'qsThreadInfo', handle: () => 'l' };

const describeThread: PacketHandler = {
  name: 'qThreadExtraInfo',
  handle: (client, rest) => textToHex(vcpuLabel(findVcpu(client, parseThreadId(rest.slice(1))))),
};

function findVcpu(client: Client, thread: ReturnType<typeof parseThreadId>) {
  const vcpu = typeof thread === 'number' ? client.machine.vcpus[thread - 1] : undefined;
  if (!vcpu) throw new PacketError(ErrorCode.invalid, 'no such thread');
  return vcpu;
}

/** Thread number of a vCPU as packets write it. */
export function threadId(index: number): string {
  return (index + 1).toString(16);
}

/** Words for thread lists: `vCPU 0 [halted]`. */
export function vcpuLabel(vcpu: Client['vcpu']): string {
  return `vCPU ${vcpu.index} [${vcpu.interrupts().pending.mpState}]`;
}

export const threadPackets: readonly PacketHandler[] = [
  select,
  alive,
  current,
  firstThreads,
  moreThreads,
  describeThread,
];
