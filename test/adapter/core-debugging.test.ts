import { coreAdapter, hostAnswers, noKvm } from './core-adapter.ts';
import { debuggingSuite } from './debugging-suite.ts';

debuggingSuite('debugging on our own core', coreAdapter, {
  skip: noKvm,
  hardwareBreakpoints: hostAnswers('execute-registers', 'yes'),
});
