/** /dev/kvm itself. */
import { KVM, OFFSET, SIZE } from './abi.ts';
import { close, ioctl, ioctlValue, open } from './libc.ts';

/** One CPUID leaf as KVM_SET_CPUID2 takes it. */
export interface CpuidEntry {
  function: number;
  index: number;
  /** KVM_CPUID_FLAG_SIGNIFCANT_INDEX is bit 0. */
  flags: number;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

/** An open /dev/kvm. Throws {@link SystemError} with ENOENT, EACCES, ... when it cannot be had. */
export class Kvm {
  readonly fd = open('/dev/kvm');

  /** 12 on every kernel since 2.6.22. */
  get apiVersion(): number {
    return ioctlValue('KVM_GET_API_VERSION', this.fd, KVM.GET_API_VERSION, 0);
  }

  /** What KVM_CHECK_EXTENSION says of a capability: 0 is absent, other values depend on the capability. */
  capability(cap: number): number {
    return ioctlValue(`KVM_CHECK_EXTENSION ${cap}`, this.fd, KVM.CHECK_EXTENSION, cap);
  }

  /** Bytes of the shared kvm_run mapping of a vCPU. */
  get runBytes(): number {
    return ioctlValue('KVM_GET_VCPU_MMAP_SIZE', this.fd, KVM.GET_VCPU_MMAP_SIZE, 0);
  }

  /** The CPUID leaves that this KVM can give to a guest. */
  supportedCpuid(): CpuidEntry[] {
    const MOST = 256;
    const buffer = Buffer.alloc(SIZE.kvm_cpuid2 + MOST * SIZE.kvm_cpuid_entry2);
    buffer.writeUInt32LE(MOST, OFFSET.kvm_cpuid2.nent);
    ioctl('KVM_GET_SUPPORTED_CPUID', this.fd, KVM.GET_SUPPORTED_CPUID, buffer);
    return Array.from({ length: buffer.readUInt32LE(OFFSET.kvm_cpuid2.nent) }, (_, position) => {
      const at = SIZE.kvm_cpuid2 + position * SIZE.kvm_cpuid_entry2;
      const field = (name: keyof typeof OFFSET.kvm_cpuid_entry2) =>
        buffer.readUInt32LE(at + OFFSET.kvm_cpuid_entry2[name]);
      return {
        function: field('function'),
        index: field('index'),
        flags: field('flags'),
        eax: field('eax'),
        ebx: field('ebx'),
        ecx: field('ecx'),
        edx: field('edx'),
      };
    });
  }

  /** The MSRs that this KVM can save and restore. */
  msrIndices(): number[] {
    const MOST = 1024;
    const buffer = Buffer.alloc(4 + 4 * MOST);
    buffer.writeUInt32LE(MOST, 0);
    ioctl('KVM_GET_MSR_INDEX_LIST', this.fd, KVM.GET_MSR_INDEX_LIST, buffer);
    return Array.from({ length: buffer.readUInt32LE(0) }, (_, position) => buffer.readUInt32LE(4 + 4 * position));
  }

  close(): void {
    close(this.fd);
  }
}
