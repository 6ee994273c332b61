import { debuggingSuite } from './debugging-suite.ts';
import { noQemu, qemuAdapter } from './qemu.ts';

debuggingSuite('debugging on the stub of QEMU', qemuAdapter, noQemu);
