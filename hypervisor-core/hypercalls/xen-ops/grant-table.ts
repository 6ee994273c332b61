/** grant_table_op: xen/include/public/grant_table.h. Version 1, a few frames; there is no domain to grant to. */
import type { Answer, Call, Platform } from '../abi.ts';
import { EINVAL, ENOSYS, failed, integer, isSelf, ok, withStructure } from '../xen-call.ts';
import { GRANT_FRAMES } from './memory.ts';

const VERSION = 1;
/** GNTST_bad_domain */
const BAD_DOMAIN = -2;

export function grantTableOp(call: Call, platform: Platform): Answer {
  // Every operation takes `count` structures one after the other; guests ask one by one.
  if (integer(call, 2) !== 1) return failed(integer(call, 2) === 0 ? EINVAL : ENOSYS);
  switch (integer(call, 0)) {
    case 6: // query_size: dom, nr_frames, max_nr_frames, status
      return withStructure(call, platform, 16, (view) => {
        const self = isSelf(view.getUint16(0, true));
        view.setInt16(12, self ? 0 : BAD_DOMAIN, true);
        if (self) {
          view.setUint32(4, GRANT_FRAMES, true);
          view.setUint32(8, GRANT_FRAMES, true);
        }
        return ok;
      });
    case 8: // set_version: version
      return withStructure(call, platform, 4, (view) => (view.getUint32(0, true) === VERSION ? ok : failed(ENOSYS)));
    case 10: // get_version: dom, version
      return withStructure(call, platform, 8, (view) => {
        view.setUint32(4, VERSION, true);
        return ok;
      });
    default:
      return failed(ENOSYS);
  }
}
