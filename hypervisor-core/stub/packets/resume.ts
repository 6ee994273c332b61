/** `vCont c C s S`: letting vCPUs go. All-stop: the reply is the stop that ends it. */
import type { ResumeAction } from '../../machine/api.ts';
import { parseNumber, parseThreadId, type ThreadId } from '../../protocol/rsp.ts';
import { type Client, ErrorCode, malformed, PacketError, type PacketHandler } from '../packet.ts';
import { SSTEP } from './qemu.ts';

type Step = ResumeAction['action'];

const actions: PacketHandler = { name: 'vCont?', handle: () => 'vCont;c;C;s;S;r' };

const vCont: PacketHandler = {
  name: 'vCont',
  feature: 'vContSupported+',
  handle(client, rest) {
    const wanted = rest
      .split(';')
      .slice(1)
      .map((text) => parseAction(text));
    if (wanted.length === 0) throw malformed('vCont');
    go(client, ({ index }) => wanted.find(({ thread }) => covers(thread, index))?.step);
    return undefined;
  },
};

/** Plain `c` and `s`, for clients without vCont: an address to go on from, and the thread of the last `Hc`. */
const plain = (name: 'c' | 's'): PacketHandler => ({
  name,
  handle(client, rest) {
    if (rest !== '') jump(client, rest);
    resumePlain(client, name);
    return undefined;
  },
});

/** The same with a signal, which a virtual machine has no use for. */
const signalled = (name: 'C' | 'S'): PacketHandler => ({
  name,
  handle(client, rest) {
    const [signal = '', address] = rest.split(';', 2);
    if (!/^[0-9a-fA-F]{2}$/.test(signal)) throw malformed(name);
    if (address !== undefined) jump(client, address);
    resumePlain(client, name === 'C' ? 'c' : 's');
    return undefined;
  },
});

/** `t` asks that a thread stay stopped, which is what a thread without an action does anyway. */
function parseAction(text: string): { step: Step | undefined; thread: ThreadId } {
  const [verb = '', target] = text.split(':', 2);
  const thread = target === undefined ? 'all' : parseThreadId(target);
  if (thread === undefined) throw malformed('vCont');
  if (verb === 't') return { step: undefined, thread };
  if (/^(c|C[0-9a-fA-F]{2})$/.test(verb)) return { step: { kind: 'continue' }, thread };
  if (/^(s|S[0-9a-fA-F]{2})$/.test(verb)) return { step: { kind: 'step' }, thread };
  const [first = '', second = ''] = verb.slice(1).split(',');
  const start = parseNumber(first);
  const end = parseNumber(second);
  if (verb[0] !== 'r' || start === undefined || end === undefined) throw malformed('vCont');
  return { step: { kind: 'range-step', start, end }, thread };
}

function covers(thread: ThreadId, index: number): boolean {
  return thread === 'all' || thread === 'any' || thread === index + 1;
}

function go(client: Client, choose: (vcpu: { index: number }) => Step | undefined): void {
  const chosen = client.machine.vcpus.flatMap((vcpu) => {
    const action = choose(vcpu);
    return action ? [{ vcpu: vcpu.index, action }] : [];
  });
  if (chosen.length === 0) throw new PacketError(ErrorCode.invalid, 'no such thread to resume');
  const interrupts = (client.stepFlags & SSTEP.NOIRQ) === 0;
  client.resume(
    chosen.map(({ vcpu, action }) => ({
      vcpu,
      action: interrupts && action.kind !== 'continue' ? { ...action, interrupts } : action,
    })),
  );
}

function resumePlain(client: Client, verb: 'c' | 's'): void {
  const thread = client.continueThread;
  if (verb === 'c') go(client, ({ index }) => (covers(thread, index) ? { kind: 'continue' } : undefined));
  else {
    const stepped = typeof thread === 'number' ? thread - 1 : client.vcpu.index;
    go(client, ({ index }) => (index === stepped ? { kind: 'step' } : undefined));
  }
}

function jump(client: Client, text: string): void {
  const address = parseNumber(text);
  if (address === undefined) throw malformed('resume');
  const rip = Buffer.alloc(8);
  rip.writeBigUInt64LE(address);
  client.vcpu.registers.write('rip', rip);
}

export const resumePackets: readonly PacketHandler[] = [
  actions,
  vCont,
  plain('c'),
  plain('s'),
  signalled('C'),
  signalled('S'),
];
