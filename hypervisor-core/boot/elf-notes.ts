/** ELF notes that tell a loader how a kernel wants to be started. */
import type { Personality } from '../protocol/inspect.ts';

export interface BootNotes {
  /** A kernel may say which hypercall interface it was written for: owner `Ringside`, type 1, the name as text. */
  readonly personality?: Personality;
  /** Physical address of the 32-bit entry for PVH: owner `Xen`, XEN_ELFNOTE_PHYS32_ENTRY. */
  readonly pvhEntry?: bigint;
  /** The file is a Linux kernel: it says so to Xen, or has notes of its own. */
  readonly isLinux: boolean;
}

const NOTE_PERSONALITY = 1;
const XEN_GUEST_OS = 6;
const XEN_PHYS32_ENTRY = 18;

/** Reads what is known of the notes in these segments; damaged and unknown ones are passed over. */
export function readBootNotes(noteSegments: readonly Uint8Array[]): BootNotes {
  let personality: Personality | undefined;
  let pvhEntry: bigint | undefined;
  let isLinux = false;
  for (const { owner, type, descriptor } of noteSegments.flatMap((bytes) => [...readNotes(bytes)])) {
    const text = zeroTerminated(descriptor);
    if (owner === 'Ringside' && type === NOTE_PERSONALITY) {
      personality ??= (['none', 'kvm', 'xen', 'hyperv'] as const).find((known) => known === text);
    } else if (owner === 'Xen' && type === XEN_PHYS32_ENTRY) {
      pvhEntry ??= littleEndian(descriptor);
    }
    isLinux ||= owner === 'Linux' || (owner === 'Xen' && type === XEN_GUEST_OS && text === 'linux');
  }
  return { isLinux, ...(personality && { personality }), ...(pvhEntry !== undefined && { pvhEntry }) };
}

interface Note {
  readonly owner: string;
  readonly type: number;
  readonly descriptor: Uint8Array;
}

function* readNotes(bytes: Uint8Array): Generator<Note> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const align = (size: number) => Math.ceil(size / 4) * 4;
  for (let at = 0; at + 12 <= bytes.length; ) {
    const nameSize = view.getUint32(at, true);
    const descriptorSize = view.getUint32(at + 4, true);
    const name = at + 12;
    const descriptor = name + align(nameSize);
    const end = descriptor + descriptorSize;
    if (end > bytes.length) return;
    yield {
      owner: zeroTerminated(bytes.subarray(name, name + nameSize)),
      type: view.getUint32(at + 8, true),
      descriptor: bytes.subarray(descriptor, end),
    };
    at = descriptor + align(descriptorSize);
  }
}

/** A number of 4 or 8 bytes, as the kernel's class has it. */
function littleEndian(bytes: Uint8Array): bigint | undefined {
  if (bytes.length !== 4 && bytes.length !== 8) return undefined;
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function zeroTerminated(bytes: Uint8Array): string {
  const zero = bytes.indexOf(0);
  const text = zero < 0 ? bytes : bytes.subarray(0, zero);
  return String.fromCharCode(...text.subarray(0, 64));
}
