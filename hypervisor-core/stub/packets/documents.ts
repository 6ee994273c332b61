/** `qXfer`: XML documents, read in pieces. */
import { MAX_PACKET, parseNumber } from '../../protocol/rsp.ts';
import { targetXml } from '../../protocol/target-description.ts';
import { memoryMapXml } from '../memory-map.ts';
import { type Client, ErrorCode, malformed, PacketError, type PacketHandler } from '../packet.ts';
import { threadId, vcpuLabel } from './threads.ts';

/** By object and annex. */
const documents: Readonly<Record<string, (client: Client) => string>> = {
  'features:target.xml': targetXml,
  'memory-map:': memoryMapXml,
  'threads:': threadsXml,
};

const transfer: PacketHandler = {
  name: 'qXfer',
  feature: [...new Set(Object.keys(documents).map((key) => `qXfer:${key.split(':')[0]}:read+`))].join(';'),
  handle(client, rest) {
    const [, object = '', verb, annex = '', place = '', ...more] = rest.split(':');
    const [first = '', second = ''] = place.split(',');
    const offset = parseNumber(first);
    const length = parseNumber(second);
    if (verb !== 'read' || offset === undefined || length === undefined || more.length > 0) throw malformed('qXfer');
    const key = `${object}:${annex}`;
    const document = Object.hasOwn(documents, key) ? documents[key] : undefined;
    if (!document) throw new PacketError(ErrorCode.noDocument, `no document ${key.slice(0, 60)}`);
    return piece(document(client), Number(offset), Number(length));
  },
};

/** Documents are plain ASCII, so characters are bytes; each may be escaped, and the `m` or `l` comes on top. */
function piece(document: string, offset: number, length: number): string {
  const end = offset + Math.min(length, MAX_PACKET / 2 - 1);
  return `${end < document.length ? 'm' : 'l'}${document.slice(offset, end)}`;
}

function threadsXml({ machine }: Client): string {
  const threads = machine.vcpus.map(
    (vcpu) =>
      `<thread id="${threadId(vcpu.index)}" core="${vcpu.index}" name="vCPU ${vcpu.index}">${vcpuLabel(vcpu)}</thread>`,
  );
  return `<?xml version="1.0"?>\n<threads>\n${threads.join('\n')}\n</threads>\n`;
}

export const documentPackets: readonly PacketHandler[] = [transfer];
