import { attachAdapter } from './attach-adapter.ts';
import { bareStub } from './bare-stub.ts';
import { debuggingSuite } from './debugging-suite.ts';
import { noQemu } from './qemu.ts';

debuggingSuite('debugging on a stub that knows little', () => attachAdapter(bareStub), {
  skip: noQemu,
  controlRegisters: false,
});
