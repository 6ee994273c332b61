import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waysSeen } from './hypercall-ways.ts';

test('which calls are seen, and which are not, is said by what the guest finds', () => {
  const unseen = 'VMCALL and VMMCALL of modules and user code go to KVM, unseen.';
  for (const [personality, callSites, words] of [
    ['kvm', 12, `The guest finds KVM. Calls by the 12 VMCALL and VMMCALL instructions of its file are seen; ${unseen}`],
    ['kvm', 0, `The guest finds KVM. Its file has no VMCALL or VMMCALL; ${unseen}`],
    ['xen', 0, `The guest finds Xen. Calls by its hypercall page are seen; ${unseen}`],
    [
      ...(['hyperv', 2] as const),
      `The guest finds Hyper-V. Calls by its hypercall page and by the 2 VMCALL and VMMCALL instructions of its file are seen; ${unseen}`,
    ],
    ['none', 0, 'The guest finds no hypervisor that it could call ("personality" in launch.json).'],
  ] as const) {
    assert.equal(waysSeen({ personality, callSites }), words);
  }
});
