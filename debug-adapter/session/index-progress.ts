/** Tells the client how far a large image is read: DAP's progress events, for clients that show them. */
import { randomUUID } from 'node:crypto';
import * as l10n from '@vscode/l10n';
import type { Session } from './session.ts';

/** Percent; smaller steps are not worth an event. */
const STEP = 5;

export class IndexProgress {
  private readonly progressId = randomUUID();
  private shown: number | undefined;

  constructor(private readonly session: Session) {}

  report(fraction: number): void {
    const percentage = Math.floor((100 * fraction) / STEP) * STEP;
    if (percentage === this.shown || !this.session.client.supportsProgressReporting) return;
    const { progressId } = this;
    if (this.shown === undefined)
      this.session.send.event('progressStart', {
        progressId,
        title: l10n.t('Reading symbols'),
        percentage,
        cancellable: false,
      });
    else this.session.send.event('progressUpdate', { progressId, percentage });
    this.shown = percentage;
  }

  end(): void {
    if (this.shown !== undefined) this.session.send.event('progressEnd', { progressId: this.progressId });
  }
}
