import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waysSeen } from './hypercall-ways.ts';

test('which calls are seen, and which are not, is said by what the guest finds', () => {
  const unseen = 'VMCALL and VMMCALL of modules and user code go to KVM, unseen.';
  for (const [personality, callSites, words] of [
    [
      ...(['kvm', 12] as const),
      'The guest finds KVM. Calls by the 12 VMCALL and VMMCALL instructions of its file are seen. While this view is open, calls by those of its other code and its modules are seen; those of user code go to KVM, unseen.',
    ],
    [
      ...(['kvm', 0] as const),
      'The guest finds KVM. While this view is open, calls by VMCALL and VMMCALL in its kernel and its modules are seen; those of user code go to KVM, unseen.',
    ],
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
