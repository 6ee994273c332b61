/** What can be firmware: an image as QEMU's `-bios` takes it. */

const KIB = 1024;
const UNIT = 64 * KIB;
/** Below it are the pages that KVM keeps for itself, and the devices' registers. */
const MOST = 16 * KIB * KIB;

/** What is wrong with an image of `bytes` bytes, to follow its name; undefined when nothing is. */
export function firmwareProblem(bytes: number): string | undefined {
  if (bytes > MOST) return `has ${bytes} bytes; there is room for 16 MiB of firmware`;
  if (bytes === 0 || bytes % UNIT !== 0) return `has ${bytes} bytes; firmware has a multiple of 64 KiB`;
  return undefined;
}
