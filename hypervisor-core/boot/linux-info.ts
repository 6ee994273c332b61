/** Linux's struct boot_params, the "zero page": Documentation/x86/zero-page.rst, arch/x86/include/uapi/asm/bootparam.h. */
import { BootError, type BootFramebuffer, PIXEL } from './boot-image.ts';
import type { InfoFormat } from './handover.ts';

/** Offsets in the zero page; a bzImage has its setup header at the same ones. */
export const BOOT_PARAMS_OFFSET = {
  'screen_info.orig_video_isVGA': 0x0f,
  'screen_info.lfb_width': 0x12,
  'screen_info.lfb_height': 0x14,
  'screen_info.lfb_depth': 0x16,
  'screen_info.lfb_base': 0x18,
  'screen_info.lfb_size': 0x1c,
  'screen_info.lfb_linelength': 0x24,
  'screen_info.red_size': 0x26,
  'screen_info.red_pos': 0x27,
  'screen_info.green_size': 0x28,
  'screen_info.green_pos': 0x29,
  'screen_info.blue_size': 0x2a,
  'screen_info.blue_pos': 0x2b,
  'screen_info.rsvd_size': 0x2c,
  'screen_info.rsvd_pos': 0x2d,
  acpi_rsdp_addr: 0x70,
  ext_ramdisk_image: 0xc0,
  ext_ramdisk_size: 0xc4,
  ext_cmd_line_ptr: 0xc8,
  e820_entries: 0x1e8,
  'hdr.setup_sects': 0x1f1,
  'hdr.boot_flag': 0x1fe,
  'hdr.header': 0x202,
  'hdr.version': 0x206,
  'hdr.type_of_loader': 0x210,
  'hdr.loadflags': 0x211,
  'hdr.code32_start': 0x214,
  'hdr.ramdisk_image': 0x218,
  'hdr.ramdisk_size': 0x21c,
  'hdr.cmd_line_ptr': 0x228,
  'hdr.initrd_addr_max': 0x22c,
  'hdr.kernel_alignment': 0x230,
  'hdr.relocatable_kernel': 0x234,
  'hdr.xloadflags': 0x236,
  'hdr.cmdline_size': 0x238,
  'hdr.pref_address': 0x258,
  'hdr.init_size': 0x260,
  e820_table: 0x2d0,
} as const;
export const BOOT_PARAMS_SIZE = 4096;

export const BOOT_FLAG = 0xaa55;
/** "HdrS". */
export const HEADER_MAGIC = 0x5372_6448;
const UNKNOWN_LOADER = 0xff;
const E820_ENTRY_SIZE = 20;

/** The framebuffer as if the VESA BIOS had been asked for it, which is how `sysfb` and `vesafb` take it. */
const VIDEO_TYPE_VLFB = 0x23;
/** lfb_size counts units of 64 KiB, for this type (drivers/firmware/sysfb_simplefb.c). */
const LFB_UNIT = 0x1_0000;

/** struct screen_info, include/uapi/linux/screen_info.h. */
function writeScreenInfo(view: DataView, { address, size, width, height, stride }: BootFramebuffer): void {
  const at = BOOT_PARAMS_OFFSET;
  view.setUint8(at['screen_info.orig_video_isVGA'], VIDEO_TYPE_VLFB);
  view.setUint16(at['screen_info.lfb_width'], width, true);
  view.setUint16(at['screen_info.lfb_height'], height, true);
  view.setUint16(at['screen_info.lfb_depth'], PIXEL.bits, true);
  view.setUint32(at['screen_info.lfb_base'], Number(address), true);
  view.setUint32(at['screen_info.lfb_size'], Math.ceil(size / LFB_UNIT), true);
  view.setUint16(at['screen_info.lfb_linelength'], stride, true);
  for (const [name, field] of [
    ['red', PIXEL.red],
    ['green', PIXEL.green],
    ['blue', PIXEL.blue],
    ['rsvd', PIXEL.unused],
  ] as const) {
    view.setUint8(at[`screen_info.${name}_size`], field.size);
    view.setUint8(at[`screen_info.${name}_pos`], field.position);
  }
}

/** `setupHeader`: the bytes of a kernel's header, which begins at offset 0x1f1. */
export function linuxInfo(setupHeader: Uint8Array): InfoFormat {
  return {
    structureSize: BOOT_PARAMS_SIZE,
    write(out, { commandLine, modules, memory, rsdp = 0n, framebuffer }) {
      const { view } = out;
      const at = BOOT_PARAMS_OFFSET;
      const split = (value: bigint, low: number, high: number) => {
        view.setUint32(low, Number(value & 0xffff_ffffn), true);
        view.setUint32(high, Number(value >> 32n), true);
      };
      out.bytes.set(setupHeader, at['hdr.setup_sects']);
      view.setUint8(at['hdr.type_of_loader'], UNKNOWN_LOADER);
      view.setBigUint64(at.acpi_rsdp_addr, rsdp, true);
      const commandLineAt = out.string(commandLine);
      split(commandLineAt, at['hdr.cmd_line_ptr'], at.ext_cmd_line_ptr);
      const [initrd, ...more] = modules;
      if (more.length > 0) {
        throw new BootError(
          'The Linux boot protocol knows no modules beside the initial RAM disk.',
          'Put everything into one initial RAM disk: cpio archives may be joined end to end.',
        );
      }
      if (initrd) {
        split(initrd.start, at['hdr.ramdisk_image'], at.ext_ramdisk_image);
        split(initrd.end - initrd.start, at['hdr.ramdisk_size'], at.ext_ramdisk_size);
      }
      if (framebuffer) writeScreenInfo(view, framebuffer);
      view.setUint8(at.e820_entries, memory.length);
      memory.forEach(({ start, end, usable }, index) => {
        const entry = at.e820_table + index * E820_ENTRY_SIZE;
        view.setBigUint64(entry, start, true);
        view.setBigUint64(entry + 8, end - start, true);
        view.setUint32(entry + 16, usable ? 1 : 2, true);
      });
      return commandLineAt;
    },
  };
}
