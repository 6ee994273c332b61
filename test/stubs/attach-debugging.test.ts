import { debuggingSuite } from '../adapter/debugging-suite.ts';
import { attachAdapter } from './attach-adapter.ts';
import { bareStub } from './bare-stub.ts';
import { noQemu } from './qemu.ts';

debuggingSuite('debugging on a stub that knows little', () => attachAdapter(bareStub), {
  skip: noQemu,
  controlRegisters: false,
  watchpoints: false,
});
