/** The stopped guest as a file that drgn and crash open. */
import { rm, writeFile } from 'node:fs/promises';
import { kernelMap, type Machine, vmcore, vmcoreinfo } from '../linux/vmcore.ts';
import { fileNotWritten } from './errors.ts';
import type { Guest } from './guest.ts';
import { linuxKernel } from './state/linux-kernel.ts';
import { memoryMapPart } from './state/memory-map-part.ts';
import type { StopState } from './stop-state.ts';

/** Writes a vmcore over what is at `path`; returns its size in bytes. A file that could not be finished is taken away. */
export async function writeVmcore(guest: Guest, state: StopState, path: string): Promise<number> {
  const kernel = await linuxKernel(guest, state);
  const { regions } = await memoryMapPart(guest);
  const machine: Machine = {
    map: await kernelMap(kernel),
    ram: regions
      .filter(({ kind }) => kind === 'ram')
      .map(({ start, end }) => ({ start: BigInt(start), end: BigInt(end) })),
    vcpus: await Promise.all((await guest.threads()).map(({ id }) => state.values(id))),
    notes: [await vmcoreinfo(kernel)],
    readPhysical: (address, length) => state.target.readPhysical(address, length),
  };
  let size = 0;
  const pieces = async function* () {
    for await (const piece of vmcore(machine)) {
      size += piece.length;
      yield piece;
    }
  };
  try {
    await writeFile(path, pieces());
  } catch (error) {
    await rm(path, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === undefined ? error : fileNotWritten(path, message);
  }
  return size;
}
