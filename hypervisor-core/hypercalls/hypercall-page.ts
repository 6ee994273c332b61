/**
 * Hypercall pages that work on every KVM: each entry leaves the guest by an OUT to a port of ours, which always exits,
 * where VMCALL may not. RIP is past the OUT when the exit is seen, and RAX is free to hold the answer.
 */

/** A port that no PC device answers. */
export const HYPERCALL_PORT = 0xea;

const PAGE_SIZE = 4096;
const MOV_EAX_IMM32 = 0xb8;
const OUT_IMM8_AL = 0xe6;
const RET = 0xc3;
const INT3 = 0xcc;
const NOP = 0x90;
const UD2 = [0x0f, 0x0b];

/** `out HYPERCALL_PORT, al; nop`: in the place of an instruction of three bytes that makes a call. */
export const CALL_SITE: readonly number[] = [OUT_IMM8_AL, HYPERCALL_PORT, NOP];

/** `out HYPERCALL_PORT, al; ret` at the start: Hyper-V's page has one entry, and the number comes in a register. */
export function singleEntryPage(): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE).fill(INT3);
  page.set([OUT_IMM8_AL, HYPERCALL_PORT, RET]);
  return page;
}

/** `mov eax, index; out HYPERCALL_PORT, al; ret` every 32 bytes; UD2 for the entries that cannot be called so. */
export function indexedPage(notCallable: readonly number[]): Uint8Array {
  const entryBytes = 32;
  const page = new Uint8Array(PAGE_SIZE).fill(INT3);
  for (let index = 0; index < PAGE_SIZE / entryBytes; index++) {
    const entry = notCallable.includes(index) ? UD2 : [MOV_EAX_IMM32, index, 0, 0, 0, OUT_IMM8_AL, HYPERCALL_PORT, RET];
    page.set(entry, index * entryBytes);
  }
  return page;
}
