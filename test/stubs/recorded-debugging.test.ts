import { debuggingSuite } from '../adapter/debugging-suite.ts';
import { attachAdapter } from './attach-adapter.ts';
import { noQemu } from './qemu.ts';
import { type Recording, record, replayAdapter } from './recording.ts';

/** One for each test, in their order. */
const recordings: Recording[] = [];
let replayed = 0;

debuggingSuite(
  'debugging by attaching to QEMU, recorded',
  () => {
    const recording: Recording = [];
    recordings.push(recording);
    return attachAdapter(record(recording));
  },
  { skip: noQemu },
);

debuggingSuite('debugging on the recording', () => replayAdapter(recordings[replayed++] ?? []), { skip: noQemu });
