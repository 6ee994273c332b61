/**
 * Linux by its own boot protocol (Documentation/x86/boot.rst): a bzImage, or the ELF file vmlinux whose startup_64 is
 * entered as the decompressor would. 64-bit: long mode with memory mapped to itself, CS = 0x10, the others 0x18, RSI = zero
 * page. An i386 bzImage is entered in protected mode, ESI = zero page.
 */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { type BzImage, parseBzImage } from './bzimage.ts';
import { CODE_SELECTOR, longMode, protectedMode } from './cpu-state.ts';
import { identityEndFor } from './direct-entry.ts';
import type { ElfFile } from './elf-file.ts';
import { physicalEntry, placeElf } from './elf-segments.ts';
import { BOOT_FLAG, BOOT_PARAMS_OFFSET, HEADER_MAGIC, linuxInfo } from './linux-info.ts';
import { type LoaderWish, placeLoaderBlock } from './loader-block.ts';
import { LoaderTables } from './loader-tables.ts';
import { Placement } from './placement.ts';

const TWO_GIB = 0x8000_0000n;
/** COMMAND_LINE_SIZE of x86, less the zero. */
const LONGEST_COMMAND_LINE = 2047;
const LOADED_HIGH = 1;
const VMLINUX_VERSION = 0x020f;
const VMLINUX_ALIGNMENT = 0x20_0000;

/** Places a bzImage. Throws `BootError` when it is too old, damaged, or does not fit. */
export function bootBzImage(request: BootRequest): BootImage {
  const image = parseBzImage(request.name, request.file);
  const placement = new Placement(request.ram, request.name);
  const name = 'Linux bzImage';
  const end = image.loadAddress + image.initSize;
  placement.claim({ start: image.loadAddress, end, name });
  const kernelEnd = image.loadAddress + BigInt(image.kernel.length);
  const placed = {
    segments: [{ gpa: image.loadAddress, bytes: image.kernel, name }],
    zeroed: kernelEnd < end ? [{ start: kernelEnd, end, name: `${name}, zeroed` }] : [],
  };
  return start(request, placement, placed, image, 'bzImage');
}

/** Places vmlinux. Throws `BootError` when it is no 64-bit kernel or does not fit. */
export function bootVmlinux(request: BootRequest, elf: ElfFile): BootImage {
  if (elf.bits !== 64) {
    throw new BootError(
      `${request.name} is an ELF32 file; only a 64-bit vmlinux can be entered by the Linux boot protocol.`,
      'Give the bzImage of the i386 kernel.',
    );
  }
  const placement = new Placement(request.ram, request.name);
  const placed = placeElf(elf, placement);
  const entry = physicalEntry(request.name, elf);
  const setupHeader = madeUpHeader();
  const limits = { initrdLimit: TWO_GIB, longestCommandLine: LONGEST_COMMAND_LINE };
  return start(request, placement, placed, { bits: 64, entry, setupHeader, ...limits }, 'vmlinux');
}

type Kernel = Pick<BzImage, 'bits' | 'entry' | 'setupHeader' | 'initrdLimit' | 'longestCommandLine'>;

function start(
  request: BootRequest,
  placement: Placement,
  { segments, zeroed }: Pick<BootImage, 'segments' | 'zeroed'>,
  { bits, entry, setupHeader, initrdLimit, longestCommandLine }: Kernel,
  kind: string,
): BootImage {
  const codeSelector = CODE_SELECTOR.linux;
  const wish: Omit<LoaderWish, 'mode'> = {
    format: linuxInfo(setupHeader),
    codeSelector,
    moduleLimit: initrdLimit,
    longestCommandLine,
  };
  const at = `0x${entry.toString(16)}`;
  // Linux knows KVM: with its clock, a pause is none of the guest's business.
  const image = { protocol: 'linux', zeroed, personality: 'kvm' } as const;
  if (bits === 32) {
    const block = placeLoaderBlock(request, placement, { ...wish, mode: 'protected32' });
    const general = { rip: entry, rsp: block.stackTop, rflags: 2n, rsi: block.info };
    return {
      ...image,
      segments: [...segments, ...block.segments],
      memory: block.memory,
      cpu: protectedMode({ general, gdt: block.gdt, codeSelector }),
      description: `Linux ${kind}, entered in 32-bit protected mode at ${at}`,
    };
  }
  const tables = new LoaderTables();
  tables.identity(identityEndFor(request));
  const block = placeLoaderBlock(request, placement, { ...wish, mode: 'long', tables });
  const general = { rip: entry, rsp: block.stackTop, rflags: 2n, rsi: block.info };
  return {
    ...image,
    segments: [...segments, ...block.segments],
    memory: block.memory,
    cpu: longMode({ general, gdt: block.gdt, cr3: block.cr3, codeSelector }),
    description: `Linux ${kind}, entered in long mode at ${at}`,
  };
}

/** The setup header that a bzImage would have brought, as far as the kernel proper reads it. */
function madeUpHeader(): Uint8Array {
  const first = BOOT_PARAMS_OFFSET['hdr.setup_sects'];
  const bytes = new Uint8Array(BOOT_PARAMS_OFFSET['hdr.init_size'] + 4 - first);
  const view = new DataView(bytes.buffer);
  const at = (field: keyof typeof BOOT_PARAMS_OFFSET) => BOOT_PARAMS_OFFSET[field] - first;
  view.setUint16(at('hdr.boot_flag'), BOOT_FLAG, true);
  view.setUint32(at('hdr.header'), HEADER_MAGIC, true);
  view.setUint16(at('hdr.version'), VMLINUX_VERSION, true);
  view.setUint8(at('hdr.loadflags'), LOADED_HIGH);
  view.setUint32(at('hdr.kernel_alignment'), VMLINUX_ALIGNMENT, true);
  view.setUint32(at('hdr.cmdline_size'), LONGEST_COMMAND_LINE, true);
  return bytes;
}
