/** The Interrupts view: controllers and pending events from the core, and the IDT with its handlers' names. */
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import type { InterruptsPart } from '../../protocol/custom.ts';
import { onlyOurCore } from '../errors.ts';
import type { StopState } from '../stop-state.ts';

export async function interruptsPart({ target }: StopState, thread: number): Promise<InterruptsPart> {
  if (!target.inspect) throw onlyOurCore('Interrupt controllers');
  return { ...(await target.inspect.sendRequest(inspect.interrupts, { vcpu: thread - 1 })), idt: [] };
}
