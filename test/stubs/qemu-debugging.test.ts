import { debuggingSuite } from '../adapter/debugging-suite.ts';
import { noQemu, qemuAdapter } from './qemu.ts';

debuggingSuite('debugging on a QEMU of our own', qemuAdapter, { skip: noQemu });
