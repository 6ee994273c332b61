/** The Memory Map view: guest-physical memory as the core has laid it out, and the ports. */
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import type { MemoryMapPart } from '../../protocol/custom.ts';
import { onlyOurCore } from '../errors.ts';
import type { Guest } from '../guest.ts';

export async function memoryMapPart({ target }: Guest): Promise<MemoryMapPart> {
  if (!target.inspect) throw onlyOurCore('The memory map');
  return target.inspect.sendRequest(inspect.memoryMap);
}
