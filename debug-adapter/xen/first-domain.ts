/** The first domain (dom0) of a Xen in the guest, and its vCPUs: struct domain and struct vcpu, xen/include/xen/sched.h. */
import { WORD, XenError, type XenMemory } from './xen-memory.ts';

/** Where both structures begin alike in Xen 4.17 and its neighbours; that they do is checked by what points back. */
const DOMAIN = { id: 0, vcpuCount: 4, vcpus: 8, sharedInfo: 16, bytes: 24 };
const VCPU = { id: 0, processor: 4, info: 8, domain: 16, bytes: 24 };
/** struct vcpu_info of xen/include/public/xen.h. */
const INFO = { pending: 0, masked: 1, bytes: 2 };
/** Of a domain that may claim to have any number. */
const MOST_VCPUS = 128;

export interface Domain {
  /** Of its struct domain. */
  readonly address: bigint;
  readonly id: number;
  readonly sharedInfo: bigint;
  readonly vcpus: readonly DomainVcpu[];
}

export interface DomainVcpu {
  /** Of its struct vcpu. */
  readonly address: bigint;
  readonly id: number;
  /** The processor of Xen's that it runs on, or ran on last. */
  readonly processor: number;
  /** An event is there to be told of, and the domain does not want to be told now. */
  readonly pending: boolean;
  readonly masked: boolean;
}

/** Throws `XenError` before there is a first domain, and for a Xen that keeps it in another way. */
export async function firstDomain(memory: XenMemory): Promise<Domain> {
  const [variable = 0n] = memory.addressesOf('hardware_domain');
  const address = await memory.word(variable);
  if (address === 0n) throw new XenError('Xen has not made its first domain yet.');
  const view = await memory.view(address, DOMAIN.bytes);
  const count = view.getUint32(DOMAIN.vcpuCount, true);
  if (count === 0 || count > MOST_VCPUS) throw unknownLayout();
  const list = await memory.view(view.getBigUint64(DOMAIN.vcpus, true), count * WORD);
  const vcpus: DomainVcpu[] = [];
  for (let id = 0; id < count; id++) {
    const at = list.getBigUint64(id * WORD, true);
    // Room for one that was not made.
    if (at !== 0n) vcpus.push(await domainVcpu(memory, at, { id, domain: address }));
  }
  const id = view.getUint16(DOMAIN.id, true);
  return { address, id, sharedInfo: view.getBigUint64(DOMAIN.sharedInfo, true), vcpus };
}

async function domainVcpu(
  memory: XenMemory,
  address: bigint,
  { id, domain }: { id: number; domain: bigint },
): Promise<DomainVcpu> {
  const view = await memory.view(address, VCPU.bytes);
  const isVcpu = view.getUint32(VCPU.id, true) === id && view.getBigUint64(VCPU.domain, true) === domain;
  if (!isVcpu) throw unknownLayout();
  const info = await memory.view(view.getBigUint64(VCPU.info, true), INFO.bytes);
  return {
    ...{ address, id, processor: view.getUint32(VCPU.processor, true) },
    ...{ pending: info.getUint8(INFO.pending) !== 0, masked: info.getUint8(INFO.masked) !== 0 },
  };
}

const unknownLayout = () => new XenError('This Xen keeps its domains in another way than those that Ringside knows.');
