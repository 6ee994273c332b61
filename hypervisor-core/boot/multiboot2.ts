/**
 * Multiboot 2 (specification 2.0): a header in the first 32 KiB, protected mode without paging, EAX = 0x36D76289, EBX =
 * boot information. EFI entry points and boot services do not apply. The framebuffer is the machine's, whichever the header
 * prefers, and may be missing. A relocatable kernel is loaded where it is linked.
 */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { protectedMode } from './cpu-state.ts';
import { isElf, parseElf } from './elf-file.ts';
import { placeLoaderBlock } from './loader-block.ts';
import { placeAsElf, placeByAddresses } from './multiboot-load.ts';
import { type Multiboot2Header, readMultiboot2Tags } from './multiboot2-header.ts';
import { BOOTLOADER_MAGIC2, multiboot2Info } from './multiboot2-info.ts';
import { Placement } from './placement.ts';

/** load_addr with this value means the start of the file. */
const FROM_START = 0xffff_ffff;

/** Places a multiboot 2 kernel. Throws `BootError` when the header contradicts the file or guest memory. */
export function bootMultiboot2(request: BootRequest, header: Multiboot2Header): BootImage {
  const { address, entry: givenEntry } = readMultiboot2Tags(request.name, request.file, header);
  const placement = new Placement(request.ram, request.name);
  const elf = isElf(request.file) ? parseElf(request.name, request.file) : undefined;
  const place = () => {
    if (!address) return placeAsElf(request, elf, placement, givenEntry === undefined ? undefined : BigInt(givenEntry));
    if (givenEntry === undefined) {
      throw new BootError(
        `${request.name}: the multiboot 2 header has an address tag and no entry address tag.`,
        'Add the tag of type 3.',
      );
    }
    const loadAddress = address.loadAddress === FROM_START ? undefined : address.loadAddress;
    return placeByAddresses(request, { ...address, loadAddress, headerAt: header.at, entry: givenEntry }, placement);
  };
  const { segments, zeroed, entry } = place();
  const block = placeLoaderBlock(request, placement, {
    mode: 'protected32',
    format: multiboot2Info,
    ...(elf && { sectionsOf: elf }),
  });
  return {
    protocol: 'multiboot2',
    segments: [...segments, ...block.segments],
    memory: block.memory,
    zeroed,
    cpu: protectedMode({
      general: { rip: entry, rsp: block.stackTop, rflags: 2n, rax: BOOTLOADER_MAGIC2, rbx: block.info },
      gdt: block.gdt,
    }),
    ...(elf?.notes.personality && { personality: elf.notes.personality }),
    description: `multiboot 2, entered in 32-bit protected mode at 0x${entry.toString(16)}`,
  };
}
