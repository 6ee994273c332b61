/** The setup header of a Linux bzImage: Documentation/x86/boot.rst, "The Real-Mode Kernel Header". */
import { BootError } from './boot-image.ts';
import { BOOT_FLAG, BOOT_PARAMS_OFFSET, HEADER_MAGIC } from './linux-info.ts';

const at = BOOT_PARAMS_OFFSET;
/** Where the byte with the header's length is: the offset of the jump at 0x200. */
const JUMP_LENGTH = 0x201;
const LAST_FIELD_END = at['hdr.init_size'] + 4;
/** Protocol 2.12 (Linux 3.8) brought xloadflags. */
const LEAST_VERSION = 0x020c;
const XLF_KERNEL_64 = 1;
const ENTRY_64 = 0x200n;
const SECTOR = 512;

export interface BzImage {
  /** To be copied to the same offset of the zero page. */
  readonly setupHeader: Uint8Array;
  /** The protected-mode kernel. */
  readonly kernel: Uint8Array;
  readonly loadAddress: bigint;
  /** Memory from the load address on that the kernel needs before it looks at the memory map. */
  readonly initSize: bigint;
  /** 64: entered in long mode; 32: an i386 kernel, entered in protected mode. */
  readonly bits: 32 | 64;
  readonly entry: bigint;
  readonly initrdLimit: bigint;
  readonly longestCommandLine: number;
}

export function isBzImage(file: Uint8Array): boolean {
  if (file.length < LAST_FIELD_END) return false;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  return (
    view.getUint16(at['hdr.boot_flag'], true) === BOOT_FLAG && view.getUint32(at['hdr.header'], true) === HEADER_MAGIC
  );
}

/** Reads a file for which {@link isBzImage} holds. Throws {@link BootError} when it is too old or cut short. */
export function parseBzImage(name: string, file: Uint8Array): BzImage {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const version = view.getUint16(at['hdr.version'], true);
  if (version < LEAST_VERSION) {
    throw new BootError(
      `${name} speaks version ${version >> 8}.${version & 0xff} of the Linux boot protocol; 2.12 is needed.`,
      'Use Linux 3.8 or later.',
    );
  }
  const headerEnd = Math.max(at['hdr.header'] + (file[JUMP_LENGTH] ?? 0), LAST_FIELD_END);
  const setupSectors = view.getUint8(at['hdr.setup_sects']) || 4;
  const kernelAt = (setupSectors + 1) * SECTOR;
  const bits = view.getUint16(at['hdr.xloadflags'], true) & XLF_KERNEL_64 ? 64 : 32;
  if (kernelAt + Number(ENTRY_64) >= file.length || headerEnd > file.length) {
    throw new BootError(
      `${name} is cut short: the kernel behind ${setupSectors} setup sectors begins at offset ${kernelAt}, and the file has ${file.length} bytes.`,
      'Build or copy the file again.',
    );
  }
  const kernel = file.subarray(kernelAt);
  const loadAddress = view.getBigUint64(at['hdr.pref_address'], true);
  const initSize = BigInt(Math.max(view.getUint32(at['hdr.init_size'], true), kernel.length));
  return {
    setupHeader: file.subarray(at['hdr.setup_sects'], headerEnd),
    kernel,
    loadAddress,
    initSize,
    bits,
    entry: bits === 64 ? loadAddress + ENTRY_64 : loadAddress,
    initrdLimit: BigInt(view.getUint32(at['hdr.initrd_addr_max'], true)) + 1n,
    longestCommandLine: view.getUint32(at['hdr.cmdline_size'], true),
  };
}
