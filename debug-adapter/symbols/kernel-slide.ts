/**
 * How far KASLR moved a Linux kernel, found from where the processor is told to go: the handler of page faults in the
 * interrupt descriptor table (Intel SDM 3, 6.14.1), the entry of system calls in IA32_LSTAR, and before these are set up
 * the table itself, with which the kernel starts.
 */
import type { ReadMemory, SymbolIndex } from './api.ts';

/** Each by its names in Linux, the newest first. */
const pageFaultHandlers = ['asm_exc_page_fault', 'page_fault'];
const systemCallEntries = ['entry_SYSCALL_64', 'system_call'];
const interruptTables = ['idt_table'];
const pageFault = 14;
const gateSize = 16;
/** Linux, arch/x86/Kconfig: PHYSICAL_ALIGN is at least 2 MiB with 64 bits. */
const alignment = 0x20_0000n;
/** Linux, arch/x86/include/asm/page_64_types.h: all of KERNEL_IMAGE_SIZE. */
const farthest = 0x4000_0000n;

/** What a stopped vCPU says of itself. */
export interface SlideEvidence {
  /** IDTR's base. */
  readonly idtBase?: bigint;
  /** MSR 0xc0000082. */
  readonly lstar?: bigint;
  readonly read: ReadMemory;
}

/**
 * Bytes to move the symbols by; undefined where nothing is said yet, as before the kernel has set itself up, or where it
 * fits no kernel of these symbols. The symbols must not have been moved before.
 */
export async function kernelSlide(symbols: SymbolIndex, evidence: SlideEvidence): Promise<bigint | undefined> {
  const { idtBase, lstar, read } = evidence;
  const handler = idtBase === undefined ? undefined : await gateTarget(idtBase, read);
  const slides = [
    ...slidesOf(symbols, systemCallEntries, lstar),
    ...slidesOf(symbols, pageFaultHandlers, handler),
    ...slidesOf(symbols, interruptTables, idtBase),
  ];
  const [slide] = slides;
  return slides.every((each) => each === slide) ? slide : undefined;
}

/** Whether these are symbols of a kernel whose slide can be found. */
export function mayBeMoved(symbols: SymbolIndex): boolean {
  return [...systemCallEntries, ...pageFaultHandlers].some((name) => symbols.symbolsNamed(name).length > 0);
}

function slidesOf(symbols: SymbolIndex, names: readonly string[], address: bigint | undefined): bigint[] {
  if (address === undefined || address === 0n) return [];
  const found = names.flatMap((name) => symbols.symbolsNamed(name).slice(0, 1));
  return found.slice(0, 1).flatMap((symbol) => {
    const slide = address - symbol.address;
    return slide >= 0n && slide < farthest && slide % alignment === 0n ? [slide] : [];
  });
}

/** Offset of an interrupt gate in 64-bit mode; undefined for one that is not present. */
async function gateTarget(idtBase: bigint, read: ReadMemory): Promise<bigint | undefined> {
  const bytes = await read(idtBase + BigInt(gateSize * pageFault), gateSize);
  if (bytes.length < gateSize || !((bytes[5] as number) & 0x80)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, gateSize);
  const low = view.getUint16(0, true) + view.getUint16(6, true) * 0x1_0000;
  return (BigInt(view.getUint32(8, true)) << 32n) | BigInt(low);
}
