/** vcpu_op: xen/include/public/vcpu.h. Processors are started by INIT and SIPI, and timers are the local APIC's. */
import type { Answer, Call, Platform } from '../abi.ts';
import { done, EFAULT, EINVAL, ENOENT, ENOSYS, failed, integer, structure } from '../xen-call.ts';
import { XenDomain } from '../xen-domain.ts';

const PAGE = 4096;
const INFO_BYTES = 64;

export function vcpuOp(call: Call, platform: Platform): Answer {
  const vcpu = integer(call, 1);
  if (vcpu >= platform.cpus) return failed(ENOENT);
  switch (integer(call, 0)) {
    case 3: // is_up: that one runs which asks; of others Xen's own answer is a guess, too.
      return { result: 1n };
    case 10: {
      // register_vcpu_info: mfn, offset, rsvd
      const argument = structure(call, platform, 2, 16);
      if (!argument) return failed(EFAULT);
      const frame = argument.view.getBigUint64(0, true);
      const offset = argument.view.getUint32(8, true);
      if (offset % 8 !== 0 || offset > PAGE - INFO_BYTES || frame >> 40n !== 0n) return failed(EINVAL);
      const gpa = (frame << 12n) + BigInt(offset);
      const registered = new XenDomain(platform).registerVcpuInfo(vcpu, gpa);
      return registered ? done(`vCPU ${vcpu} at 0x${gpa.toString(16)}`) : failed(EINVAL);
    }
    case 12: // get_physid
      return failed(EINVAL);
    default:
      return failed(ENOSYS);
  }
}
