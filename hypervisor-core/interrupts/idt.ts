/** Decodes the interrupt descriptor table: gates of long and protected mode, the vector table of real mode. */
import { vectorName } from './vectors.ts';

export type IdtFormat = 'long' | 'protected' | 'real';

/** Bytes of one entry. */
export const IDT_ENTRY_BYTES: Readonly<Record<IdtFormat, number>> = { long: 16, protected: 8, real: 4 };
const VECTORS = 256;

export interface IdtGate {
  readonly vector: number;
  readonly name: string;
  readonly present: boolean;
  /** Linear address of the handler in long and real mode; the offset in its segment in protected mode. */
  readonly handler: bigint;
  readonly selector: number;
  /** `interrupt`, `trap`, `task`, 16-bit ones with that word, or `type 0x..` for what is no gate. */
  readonly type: string;
  readonly dpl: number;
  /** Interrupt stack table index; 0 for none. Long mode only. */
  readonly ist: number;
}

/** By CR0.PE and EFER.LMA. */
export function idtFormat(cr0: bigint, efer: bigint): IdtFormat {
  if (!(cr0 & 1n)) return 'real';
  return efer & (1n << 10n) ? 'long' : 'protected';
}

/** The entries that `bytes`, read at IDTR.base, hold: IDTR.limit + 1 bytes of them count, and 256 vectors at most. */
export function decodeIdt(format: IdtFormat, bytes: Uint8Array, limit: number): IdtGate[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entryBytes = IDT_ENTRY_BYTES[format];
  const count = Math.min(Math.floor(Math.min(bytes.length, limit + 1) / entryBytes), VECTORS);
  const decode = { long: longGate, protected: protectedGate, real: realVector }[format];
  return Array.from({ length: count }, (_, vector) => ({
    vector,
    name: vectorName(vector),
    ...decode(view, vector * entryBytes),
  }));
}

type Gate = Omit<IdtGate, 'vector' | 'name'>;

/** Intel SDM vol. 3A figure 6-8. */
function longGate(view: DataView, at: number): Gate {
  const gate = protectedGate(view, at);
  const high = BigInt(view.getUint32(at + 8, true)) << 32n;
  return { ...gate, handler: high | gate.handler, ist: view.getUint8(at + 4) & 7 };
}

/** Intel SDM vol. 3A figure 6-2. */
function protectedGate(view: DataView, at: number): Gate {
  const access = view.getUint8(at + 5);
  return {
    present: (access & 0x80) !== 0,
    handler: BigInt(view.getUint16(at + 6, true)) * 0x1_0000n + BigInt(view.getUint16(at, true)),
    selector: view.getUint16(at + 2, true),
    type: gateTypes[access & 0x1f] ?? `type 0x${(access & 0x1f).toString(16)}`,
    dpl: (access >> 5) & 3,
    ist: 0,
  };
}

/** Type field with the S bit. Intel SDM vol. 3A table 3-2. */
const gateTypes: Readonly<Record<number, string>> = {
  5: 'task',
  6: '16-bit interrupt',
  7: '16-bit trap',
  14: 'interrupt',
  15: 'trap',
};

function realVector(view: DataView, at: number): Gate {
  const offset = view.getUint16(at, true);
  const selector = view.getUint16(at + 2, true);
  const handler = BigInt(selector * 16 + offset);
  return { present: handler !== 0n, handler, selector, type: 'real mode', dpl: 0, ist: 0 };
}
