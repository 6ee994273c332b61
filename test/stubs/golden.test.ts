/** The sessions of test/adapter on QEMU's stub: compare their transcripts to see what differs. */
import { test } from 'node:test';
import { checkTranscript } from '../adapter/transcript.ts';
import { breakpointsOfEveryKind, valuesAndSteps } from '../adapter/whole-sessions.ts';
import { noQemu, qemuAdapter } from './qemu.ts';

for (const [name, session] of Object.entries({ valuesAndSteps, breakpointsOfEveryKind }))
  test(`transcript on QEMU: ${name}`, { skip: noQemu }, () => checkTranscript(`qemu/${name}`, qemuAdapter, session));
