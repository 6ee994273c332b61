/** Xen's struct hvm_start_info, version 1, with its lists: xen/include/public/arch-x86/hvm/start_info.h. */
import type { InfoFormat } from './handover.ts';

const MAGIC = 0x336e_c578;
const VERSION = 1;
const MEMORY_TYPE = { ram: 1, reserved: 2 };

/** Offsets in the structures of the header, and their sizes. */
export const PVH_OFFSET = {
  hvm_start_info: {
    magic: 0,
    version: 4,
    flags: 8,
    nr_modules: 12,
    modlist_paddr: 16,
    cmdline_paddr: 24,
    rsdp_paddr: 32,
    memmap_paddr: 40,
    memmap_entries: 48,
  },
  hvm_modlist_entry: { paddr: 0, size: 8, cmdline_paddr: 16 },
  hvm_memmap_table_entry: { addr: 0, size: 8, type: 16 },
} as const;
export const PVH_SIZE = { hvm_start_info: 56, hvm_modlist_entry: 32, hvm_memmap_table_entry: 24 } as const;

export const pvhInfo: InfoFormat = {
  structureSize: PVH_SIZE.hvm_start_info,
  write(out, { commandLine, modules, memory, rsdp = 0n }) {
    const { view } = out;
    const { hvm_start_info: info, hvm_modlist_entry: module, hvm_memmap_table_entry: entry } = PVH_OFFSET;
    view.setUint32(info.magic, MAGIC, true);
    view.setUint32(info.version, VERSION, true);
    const commandLineAt = out.string(commandLine);
    view.setBigUint64(info.cmdline_paddr, commandLineAt, true);
    view.setBigUint64(info.rsdp_paddr, rsdp, true);
    if (modules.length > 0) {
      const list = out.reserve(modules.length * PVH_SIZE.hvm_modlist_entry);
      view.setUint32(info.nr_modules, modules.length, true);
      view.setBigUint64(info.modlist_paddr, out.address(list), true);
      modules.forEach(({ start, end, commandLine: text }, index) => {
        const at = list + index * PVH_SIZE.hvm_modlist_entry;
        view.setBigUint64(at + module.paddr, start, true);
        view.setBigUint64(at + module.size, end - start, true);
        view.setBigUint64(at + module.cmdline_paddr, out.string(text), true);
      });
    }
    const map = out.reserve(memory.length * PVH_SIZE.hvm_memmap_table_entry);
    view.setBigUint64(info.memmap_paddr, out.address(map), true);
    view.setUint32(info.memmap_entries, memory.length, true);
    memory.forEach(({ start, end, usable }, index) => {
      const at = map + index * PVH_SIZE.hvm_memmap_table_entry;
      view.setBigUint64(at + entry.addr, start, true);
      view.setBigUint64(at + entry.size, end - start, true);
      view.setUint32(at + entry.type, usable ? MEMORY_TYPE.ram : MEMORY_TYPE.reserved, true);
    });
    return commandLineAt;
  },
};
