/** The parts of the state that a client is told with each stop, without asking: those of its visible views. */
import type { PagesChoice, StatePart } from '../protocol/custom.ts';
import type { Session } from './session.ts';
import { onePart } from './state/snapshot.ts';
import type { StopState } from './stop-state.ts';

export class FollowedParts {
  private parts: ReadonlySet<StatePart> = new Set();
  private pages: PagesChoice = {};

  follow(parts: ReadonlySet<StatePart>, pages: PagesChoice): void {
    this.parts = parts;
    this.pages = pages;
  }

  /** Sends each part of a stop as soon as it is made, unless the guest has moved meanwhile. */
  async tell(session: Session, state: StopState): Promise<void> {
    if (session.presentStop !== state) return;
    const { thread } = state.stop;
    const choice = { pages: this.pages, frame: undefined };
    await Promise.all(
      [...this.parts].map(async (part) => {
        const made = await onePart(session, thread, part, choice);
        if (session.presentStop === state) session.send.ringside('ringside/part', made);
      }),
    );
  }
}
