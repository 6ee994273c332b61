/** The program of our own core, which is beside the adapter's in packages for machines that may have KVM. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const CORE_PROGRAM: string = join(__dirname, 'core.js');

/** Why there is no core here, in one sentence with what to do; undefined where there is one. */
export function whyNoCore(): string | undefined {
  if (existsSync(CORE_PROGRAM)) return undefined;
  return 'This package of Ringside has no hypervisor of its own: install the one for Linux on x86-64, where KVM is.';
}
