/**
 * PVH, as Xen defines it for x86 HVM guests (docs/misc/pvh.pandoc): an ELF note of owner `Xen` and type 18 gives the
 * physical entry point; protected mode without paging, EBX = struct hvm_start_info. That has no field for a framebuffer.
 */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { protectedMode } from './cpu-state.ts';
import type { ElfFile } from './elf-file.ts';
import { physicalEntry, placeElf } from './elf-segments.ts';
import { placeLoaderBlock } from './loader-block.ts';
import { Placement } from './placement.ts';
import { pvhInfo } from './pvh-info.ts';

/** What the kernel's note asks for; Linux knows KVM without one. */
function personalityOf({ personality, isLinux }: ElfFile['notes']): Pick<BootImage, 'personality'> {
  return personality || isLinux ? { personality: personality ?? 'kvm' } : {};
}

/** Places a PVH kernel. Throws `BootError` when it has no such note, does not fit, or its entry point is nowhere. */
export function bootPvh(request: BootRequest, elf: ElfFile): BootImage {
  if (elf.notes.pvhEntry === undefined) {
    throw new BootError(
      `${request.name} has no ELF note that gives an entry point for PVH (owner Xen, type 18).`,
      'Build the kernel with such a note (Linux: CONFIG_PVH), or choose another way to boot.',
    );
  }
  const placement = new Placement(request.ram, request.name);
  const { segments, zeroed } = placeElf(elf, placement);
  const entry = physicalEntry(request.name, elf, elf.notes.pvhEntry);
  const block = placeLoaderBlock(request, placement, { mode: 'protected32', format: pvhInfo });
  return {
    protocol: 'pvh',
    segments: [...segments, ...block.segments],
    memory: block.memory,
    zeroed,
    cpu: protectedMode({
      general: { rip: entry, rsp: block.stackTop, rflags: 2n, rbx: block.info },
      gdt: block.gdt,
    }),
    ...personalityOf(elf.notes),
    description: `PVH, entered in 32-bit protected mode at 0x${entry.toString(16)}`,
  };
}
