/** hvm_op: xen/include/public/hvm/hvm_op.h. Events come by a vector of the local APIC for each vCPU, as leaf 4 says. */
import type { Answer, Call, Platform } from '../abi.ts';
import {
  done,
  EINVAL,
  ENOENT,
  ENOSYS,
  EOPNOTSUPP,
  ESRCH,
  failed,
  integer,
  isSelf,
  withStructure,
} from '../xen-call.ts';
import { XenConsole } from '../xen-console.ts';
import { XenDomain } from '../xen-domain.ts';

const CALLBACK_IRQ = 0;
/** HVM_PARAM_CALLBACK_TYPE_..., the top byte of the parameter. */
const TYPE_VECTOR = 2n;
const FIRST_VECTOR = 16;

export function hvmOp(call: Call, platform: Platform): Answer {
  const domain = new XenDomain(platform);
  switch (integer(call, 0)) {
    case 0: // set_param: domid, index, value
      return withStructure(call, platform, 16, (view) => {
        const index = view.getUint32(4, true);
        const value = view.getBigUint64(8, true);
        if (!isSelf(view.getUint16(0, true))) return failed(ESRCH);
        // Such a vector needs no end of interrupt, which a local APIC cannot give.
        if (index === CALLBACK_IRQ && value >> 56n === TYPE_VECTOR) return failed(EOPNOTSUPP);
        return domain.setParameter(index, value)
          ? done(`parameter ${index} = 0x${value.toString(16)}`)
          : failed(EINVAL);
      });
    case 1: // get_param
      return withStructure(call, platform, 16, (view) => {
        const index = view.getUint32(4, true);
        if (!isSelf(view.getUint16(0, true))) return failed(ESRCH);
        const value = new XenConsole(platform).parameter(index) ?? domain.parameter(index);
        if (value === undefined) return failed(EINVAL);
        view.setBigUint64(8, value, true);
        return done(`parameter ${index} = 0x${value.toString(16)}`);
      });
    case 23: // set_evtchn_upcall_vector: vcpu, vector
      return withStructure(call, platform, 8, (view) => {
        const vcpu = view.getUint32(0, true);
        const vector = view.getUint8(4);
        if (vcpu >= platform.cpus) return failed(ENOENT);
        if (vector < FIRST_VECTOR) return failed(EINVAL);
        domain.setUpcallVector(vcpu, vector);
        return done(`vCPU ${vcpu}, vector 0x${vector.toString(16)}`);
      });
    default:
      return failed(ENOSYS);
  }
}
