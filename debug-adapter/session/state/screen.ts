/** The guest's screen: the picture in the framebuffer of a core of ours. */
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import type { ScreenUpdate } from '../../protocol/custom.ts';
import { noFramebuffer, onlyOurCore } from '../errors.ts';
import type { Guest } from '../guest.ts';

/** `known`: the version of the answer that the client has; 0 for none. */
export async function screenChanges({ target }: Guest, known: number): Promise<ScreenUpdate> {
  if (!target.inspect) throw onlyOurCore('The screen');
  const update = await target.inspect.sendRequest(inspect.screen, { known });
  if (!update) throw noFramebuffer();
  return update;
}
