/** Which translation the MMU does, and the shape of its tables. Intel SDM vol. 3A 4.1.1 and tables 4-1 to 4-20. */

export type PagingMode = 'none' | '32-bit' | 'pae' | '4-level' | '5-level';

/** The registers that paging depends on. */
export interface PagingState {
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
  /** MAXPHYADDR; bits above it are reserved in entries. 52 when it is not known, so that none are. */
  readonly physicalBits?: number;
}

const CR0_PG = 1n << 31n;
export const CR0_WP = 1n << 16n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_LA57 = 1n << 12n;
export const CR4_SMEP = 1n << 20n;
export const CR4_SMAP = 1n << 21n;
const EFER_LONG = (1n << 8n) | (1n << 10n);
export const EFER_NXE = 1n << 11n;

export function pagingMode({ cr0, cr4, efer }: PagingState): PagingMode {
  if (!(cr0 & CR0_PG)) return 'none';
  if (!(cr4 & CR4_PAE)) return '32-bit';
  if (!(efer & EFER_LONG)) return 'pae';
  return cr4 & CR4_LA57 ? '5-level' : '4-level';
}

/** One level of tables: an entry covers 2^shift bytes, a table has 2^indexBits entries. */
export interface TableLevel {
  /** 1 for the tables whose entries map 4 KiB pages. */
  readonly level: number;
  readonly name: 'PML5E' | 'PML4E' | 'PDPTE' | 'PDE' | 'PTE';
  readonly shift: bigint;
  readonly indexBits: bigint;
  readonly entryBytes: 4 | 8;
  /** Whether bit 7 makes an entry a leaf; when not, and the level is above 1, bit 7 is reserved or ignored. */
  readonly largePages: boolean;
}

const wide = { indexBits: 9n, entryBytes: 8 } as const;
const pte = { ...wide, level: 1, name: 'PTE', shift: 12n, largePages: false } as const;
const pde = { ...wide, level: 2, name: 'PDE', shift: 21n, largePages: true } as const;
const pdpte = { ...wide, level: 3, name: 'PDPTE', shift: 30n, largePages: true } as const;
const pml4e = { ...wide, level: 4, name: 'PML4E', shift: 39n, largePages: false } as const;
const pml5e = { ...wide, level: 5, name: 'PML5E', shift: 48n, largePages: false } as const;
const narrow = { indexBits: 10n, entryBytes: 4 } as const;

/** The levels from the root down. */
export function tableLevels(state: PagingState): readonly TableLevel[] {
  switch (pagingMode(state)) {
    case 'none':
      return [];
    case '32-bit':
      return [
        { ...narrow, level: 2, name: 'PDE', shift: 22n, largePages: (state.cr4 & CR4_PSE) !== 0n },
        { ...narrow, level: 1, name: 'PTE', shift: 12n, largePages: false },
      ];
    case 'pae':
      return [{ ...pdpte, indexBits: 2n, largePages: false }, pde, pte];
    case '4-level':
      return [pml4e, pdpte, pde, pte];
    case '5-level':
      return [pml5e, pml4e, pdpte, pde, pte];
  }
}

/** Guest-physical address of the root table. */
export function rootTable(state: PagingState): bigint {
  switch (pagingMode(state)) {
    case '32-bit':
      return state.cr3 & 0xffff_f000n;
    case 'pae':
      return state.cr3 & 0xffff_ffe0n;
    default:
      return state.cr3 & 0xf_ffff_ffff_f000n;
  }
}

/** Bits of a linear address that take part in the translation. */
function linearBits(state: PagingState): number {
  switch (pagingMode(state)) {
    case '4-level':
      return 48;
    case '5-level':
      return 57;
    default:
      return 32;
  }
}

/** The address as the processor writes it: sign-extended in long mode. */
export function canonical(state: PagingState, address: bigint): bigint {
  const bits = linearBits(state);
  if (bits === 32) return BigInt.asUintN(32, address);
  return BigInt.asUintN(64, BigInt.asIntN(bits, address));
}

/** Whether a 64-bit address lies in the upper half, which kernels keep to themselves. */
export const inUpperHalf = (address: bigint) => BigInt.asIntN(64, address) < 0n;
