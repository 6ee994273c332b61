/** The real adapter with its guests under QEMU's TCG, which it starts itself: `"backend": "qemu"`. */
import { spawnSync } from 'node:child_process';
import { coreAdapter } from '../adapter/core-adapter.ts';
import type { Adapter } from '../adapter/driving.ts';

/** Why these tests cannot run here; false when they can. */
export const noQemu: string | false =
  spawnSync('qemu-system-x86_64', ['--version']).status === 0 ? false : 'qemu-system-x86_64 is not installed';

export function qemuAdapter(): Adapter {
  const adapter = coreAdapter();
  return { ...adapter, start: (attributes) => adapter.client.request('launch', { backend: 'qemu', ...attributes }) };
}
