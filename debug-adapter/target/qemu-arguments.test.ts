import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CoreOptions } from './core-target.ts';
import { qemuArguments } from './qemu-arguments.ts';

const options: CoreOptions = {
  ...{ program: '/kernel', memory: 64 << 20, cpus: 1, commandLine: '', boot: 'multiboot1', persist: false },
  ...{ personality: 'auto', cpu: '', modules: [] },
};

const initrdOf = async (given: Partial<CoreOptions>) => {
  const words = await qemuArguments({ ...options, ...given }, '/tmp');
  return words.filter((_, index) => words[index - 1] === '-initrd');
};

describe('QEMU’s command line', () => {
  test('has the initial RAM disk by its name, and modules in one list', async () => {
    assert.deepEqual(await initrdOf({}), []);
    assert.deepEqual(await initrdOf({ initrd: '/a,b' }), ['/a,b']);
    const modules = ['/vmlinuz console=hvc0,1', '/initramfs'];
    assert.deepEqual(await initrdOf({ modules }), ['/vmlinuz console=hvc0,,1,/initramfs']);
    assert.deepEqual(await initrdOf({ initrd: '/first', modules }), ['/first,/vmlinuz console=hvc0,,1,/initramfs']);
  });
});
