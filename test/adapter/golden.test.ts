/** Whole sessions on our own core, against their transcripts. */
import { test } from 'node:test';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { checkTranscript } from './transcript.ts';
import { breakpointsOfEveryKind, refusals, valuesAndSteps } from './whole-sessions.ts';

for (const [name, session] of Object.entries({ valuesAndSteps, breakpointsOfEveryKind, refusals }))
  test(`transcript: ${name}`, { skip: noKvm }, () => checkTranscript(`core/${name}`, coreAdapter, session));
