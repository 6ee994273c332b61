/**
 * The small Linux up to its first process, which every KVM can do: where supervisor code is interpreted, system calls are
 * beyond KVM.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostAnswers } from '../adapter/core-adapter.ts';
import { cpu, HIDDEN, shortInitramfs, smallLinux, withLinux } from '../linux/linux-guest.ts';
import { qemuLog } from '../linux/qemu-log.ts';
import { sharedLines } from '../linux/serial-log.ts';
import { patience } from '../patience.ts';
import { EARLY_COMMAND_LINE } from './early.ts';

const FIRST_PROCESS = 'Run /init as init process';
const MEMORY = 64;
const { pvh, vmlinux } = smallLinux;

/** What KVM's interpreter lacks stops QEMU, too: there it emulates the processor by itself. */
const peer = hostAnswers('emulated-supervisor', 'yes') ? { emulated: 'qemu64' } : { hide: HIDDEN };

/** What was said up to the first process. */
function beforeInit(log: string): string {
  const end = log.indexOf(FIRST_PROCESS);
  assert.ok(end >= 0, log);
  return log.slice(0, end + FIRST_PROCESS.length);
}

/** What has to be the same, less what the processor and KVM's I/O APIC are. */
const comparable = (log: string) => sharedLines(beforeInit(log)).filter((line) => !/^(IOAPIC|Spec)/.test(line));

describe('the small Linux', { timeout: patience(600_000) }, () => {
  // Unpacking a bzImage takes an interpreted processor minutes.
  for (const [name, way] of Object.entries({ pvh, vmlinux })) {
    const kernel = { ...way, initramfs: shortInitramfs };
    test(`starts its first process (${name}), in the words that it has under QEMU`, () =>
      withLinux(kernel, EARLY_COMMAND_LINE, { memory: MEMORY << 20, cpu }, async (guest) => {
        await guest.printed(FIRST_PROCESS);
        assert.doesNotMatch(beforeInit(guest.text), /Oops|BUG:|Call Trace|Kernel panic|WARNING:/);
        const theirs = qemuLog(kernel, EARLY_COMMAND_LINE, { memory: MEMORY, ...peer });
        assert.deepEqual(comparable(guest.text), comparable(theirs));
      }));
  }
});
