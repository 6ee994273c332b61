/** Tells the client how far a large image is read: DAP's progress events, for clients that show them. */
import { randomUUID } from 'node:crypto';
import * as l10n from '@vscode/l10n';
import type { Session } from './session.ts';

/** Percent; smaller steps are not worth an event. */
const STEP = 5;

const CANCELLED =
  'The symbols were not read to their end: breakpoints can be set on functions by name, but not in source files, and types are not known by name. Restart the session to read them.\n';

export class IndexProgress {
  private readonly progressId = randomUUID();
  private shown: number | undefined;
  /** Ends the reading. */
  stop: () => void = () => undefined;

  constructor(private readonly session: Session) {}

  report(fraction: number): void {
    const percentage = Math.floor((100 * fraction) / STEP) * STEP;
    if (percentage === this.shown || !this.session.client.supportsProgressReporting) return;
    const { progressId } = this;
    if (this.shown === undefined) {
      this.session.cancels.set(progressId, () => this.cancel());
      this.session.send.event('progressStart', {
        progressId,
        title: l10n.t('Reading symbols'),
        percentage,
        cancellable: true,
      });
    } else this.session.send.event('progressUpdate', { progressId, percentage });
    this.shown = percentage;
  }

  private cancel(): void {
    this.stop();
    this.session.print(CANCELLED, 'console');
  }

  end(): void {
    this.session.cancels.delete(this.progressId);
    if (this.shown !== undefined) this.session.send.event('progressEnd', { progressId: this.progressId });
  }
}
