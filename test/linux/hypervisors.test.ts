/** Debian's Linux as a guest of the hypervisors that it knows, to userspace: what it takes us for, and which calls it makes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { patience } from '../patience.ts';
import { COMMAND_LINE, debian, debianByPvh, type LinuxGuest, options, withLinux } from './linux-guest.ts';

/** Names of the hypercalls that are still in the trace. */
function callsOf({ machine }: LinuxGuest): ReadonlySet<string> {
  return new Set(machine.hypercalls.read(0, 1 << 20).records.map(({ name }) => name));
}

/** Some of those that Linux cannot do without. */
const XEN_CALLS = [
  ...['xen_version: version', 'memory_op: add_to_physmap', 'hvm_op: set_param', 'vcpu_op: register_vcpu_info'],
  ...['event_channel_op: bind_virq', 'event_channel_op: send'],
];

function saysAll(text: string, words: readonly string[]): void {
  for (const each of words) assert.ok(text.includes(each), `${each}\n${text}`);
}

describe('Debian’s Linux', { timeout: patience(120_000) }, () => {
  test('is a PVH guest of Xen, with its console there', () =>
    withLinux(debianByPvh, COMMAND_LINE.replace('ttyS0', 'hvc0'), { ...options, personality: 'xen' }, async (guest) => {
      const text = await guest.poweredOff();
      saysAll(text, ['Hypervisor detected: Xen HVM', 'Booting kernel on Xen PVH', 'sector 5 reads written']);
      const calls = callsOf(guest);
      for (const name of XEN_CALLS) assert.ok(calls.has(name), `${name}: ${[...calls]}`);
    }));

  test('is a guest of Hyper-V on two processors', () =>
    withLinux(debian, COMMAND_LINE, { ...options, cpus: 2, personality: 'hyperv' }, async (guest) => {
      const text = await guest.poweredOff();
      saysAll(text, [
        'Hypervisor detected: Microsoft Hyper-V',
        'Switched to clocksource hyperv_clocksource_tsc_page',
        'processors 2',
        'sector 5 reads written',
      ]);
      assert.ok(callsOf(guest).has('HvCallSendSyntheticClusterIpi'), text);
    }));
});
