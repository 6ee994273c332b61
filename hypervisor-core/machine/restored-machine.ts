/** A machine as a snapshot file has it, instead of one that boots a kernel. */
import type { BootImage } from '../boot/boot-image.ts';
import { protectedMode } from '../boot/cpu-state.ts';
import type { DiskChoice } from '../devices/disk/open-disk.ts';
import { BOOT_PROTOCOLS, FIRMWARE } from '../protocol/boot-choice.ts';
import { type CpuChanges, parseCpuChanges } from '../protocol/cpu-features.ts';
import { firmwareProblem } from '../protocol/firmware.ts';
import { parseResolution } from '../protocol/framebuffer.ts';
import { type Machine, SnapshotError } from './api.ts';
import { createMachine } from './machine.ts';
import { NO_FRAMEBUFFER, type SnapshotMachine, SnapshotReader } from './snapshot-file.ts';

/**
 * Makes a machine that stands where the one in the file stood, with the image that its disk began with. Throws as
 * `createMachine` does, and {@link SnapshotError}.
 */
export async function restoreMachine(path: string, disk?: DiskChoice): Promise<Machine> {
  const reader = await SnapshotReader.open(path);
  const { machine: wanted } = await reader.head().finally(() => reader.close());
  const protocol = ([...BOOT_PROTOCOLS, FIRMWARE] as const).find((name) => name === wanted.bootProtocol);
  const framebuffer = parseResolution(wanted.framebuffer);
  const noSuch = wanted.framebuffer !== NO_FRAMEBUFFER && !framebuffer;
  if (!protocol || noSuch || (wanted.rom !== 0 && firmwareProblem(wanted.rom))) {
    throw new SnapshotError(`${path} cannot be used: its head is damaged.`);
  }
  if (wanted.disk > 0 && !disk)
    throw new SnapshotError(`${path} is of a machine with a disk: name its image by --disk.`);
  const nothing: BootImage = {
    protocol,
    description: 'a snapshot',
    segments: [],
    zeroed: [],
    romSize: wanted.rom,
    cpu: protectedMode({ general: { rip: 0n, rsp: 0n, rflags: 2n }, gdt: 0n }),
  };
  const { memory, cpus, personality, program: name } = wanted;
  const machine = await createMachine({
    ...{ boot: { name, image: nothing }, memory, cpus, personality, cpu: cpuOf(path, wanted) },
    ...(disk && { disk }),
    ...(framebuffer && { framebuffer }),
  });
  try {
    const info = await machine.snapshots.load(path);
    await machine.snapshots.startFrom(info.name);
    return machine;
  } catch (error) {
    await machine.close();
    throw error;
  }
}

function cpuOf(path: string, { cpu }: SnapshotMachine): CpuChanges {
  try {
    return parseCpuChanges(cpu);
  } catch (error) {
    throw new SnapshotError(
      `${path} cannot be used: ${error instanceof Error ? error.message : 'its head is damaged'}.`,
    );
  }
}
