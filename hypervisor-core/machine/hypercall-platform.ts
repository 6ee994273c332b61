/** What the answers to hypercalls may use of this machine: memory, interrupts, clock, the convention's state. */
import type { Platform } from '../hypercalls/abi.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';
import { messageAddress, signalMsi } from '../kvm/vm.ts';
import type { GuestClock } from './guest-clock.ts';
import type { RamFile } from './guest-ram.ts';
import type { InterruptLog } from './interrupt-log.ts';
import { walkPages } from './page-runs.ts';
import type { RamAtomics } from './ram-atomics.ts';

/** XMM0 to XMM5 in the FXSAVE image (Intel SDM vol. 1 10.5.1). */
const XMM = { at: 160, bytes: 6 * 16 };
/** Physical addresses have 52 bits; what is beyond is nowhere. */
const MOST_ADDRESS = 1n << 52n;
const MOST_PLACE = 2 ** 52;

export interface PlatformParts {
  /** Whose address space virtual addresses are of. */
  readonly vcpu: KvmVcpu;
  readonly ram: RamFile;
  readonly atomics: RamAtomics;
  readonly clock: GuestClock;
  /** What the convention keeps. */
  readonly state: DataView;
  readonly vmFd: number;
  readonly interrupts: InterruptLog;
  readonly cpus: number;
}

/** Guest memory and interrupts as the calling vCPU has them. */
export function platformOf({ vcpu, ram, atomics, clock, state, vmFd, interrupts, cpus }: PlatformParts): Platform {
  const translate = (gva: bigint) => vcpu.translate(gva);
  const place = (gpa: bigint) => (gpa < MOST_ADDRESS ? Number(gpa) : MOST_PLACE);
  return {
    memory: {
      readVirtual: (gva, length) => {
        const pieces: Uint8Array[] = [];
        walkPages(translate, gva, length, (gpa, size) => {
          const bytes = ram.read(gpa, size);
          pieces.push(bytes);
          return bytes.length;
        });
        return Uint8Array.from(Buffer.concat(pieces));
      },
      writeVirtual: (gva, bytes) => {
        let done = 0;
        walkPages(translate, gva, bytes.length, (gpa, size) => {
          const written = ram.write(gpa, bytes.subarray(done, done + size));
          done += written;
          return written;
        });
        return done;
      },
      readPhysical: (gpa, length) => ram.read(place(gpa), length),
      writePhysical: (gpa, bytes) => ram.write(place(gpa), bytes),
      changeBits: (gpa, mask, on) => atomics.change(place(gpa), mask, on),
    },
    vcpu: vcpu.index,
    cpus,
    ram: ram.ranges.filter(({ kind }) => kind === 'ram'),
    state,
    now: () => clock.now(),
    xmm: () => {
      const { buffer, byteOffset } = vcpu.get('xsave');
      return new Uint8Array(buffer, byteOffset + XMM.at, XMM.bytes);
    },
    interrupt: (target, vector, deliveryMode = 0) => {
      const message = { address: messageAddress(target), data: vector | (deliveryMode << 8) };
      const taken = signalMsi(vmFd, message.address, message.data) > 0;
      interrupts.message(clock.now(), 'hypercall', { ...message, taken });
      return taken;
    },
  };
}
