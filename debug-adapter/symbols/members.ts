/** Where a member lies in its aggregate. DWARF 5, 5.7.6. */
import { Cursor } from './bytes.ts';
import type { Die } from './die.ts';
import { attribute } from './dwarf-constants.ts';

/** Bytes from the start of the aggregate; 0 where the entry does not say, as for members of unions. */
export function memberOffset(die: Die): number {
  const constant = die.number(attribute.dataMemberLocation);
  if (constant !== undefined) return constant;
  const program = die.block(attribute.dataMemberLocation);
  if (!program || program.length < 2) return 0;
  // DWARF 2 wrote a program: DW_OP_plus_uconst N. Others, for virtual bases of C++, depend on the object.
  return program[0] === 0x23 ? new Cursor(program, 1, 'member offset').uleb() : 0;
}

/** The byte that a bit-field begins in and its bits from there; undefined for other members. */
export function memberBits(
  die: Die,
  sizeOfType: () => number | undefined,
): { offset: number; bits: { offset: number; size: number } } | undefined {
  const size = die.number(attribute.bitSize);
  if (size === undefined) return undefined;
  const direct = die.number(attribute.dataBitOffset);
  const start = direct ?? legacyBitOffset(die, size, sizeOfType);
  const offset = Math.floor(start / 8);
  return { offset, bits: { offset: start - offset * 8, size } };
}

/** DWARF 3 counts from the most significant bit of a storage unit, whose size is given apart or is the type's. */
function legacyBitOffset(die: Die, size: number, sizeOfType: () => number | undefined): number {
  const start = memberOffset(die) * 8;
  const raw = die.constant(attribute.bitOffset);
  if (raw === undefined) return start;
  // Clang writes a field that crosses its storage unit with a negative offset in an unsigned form.
  const fromTop = Number(BigInt.asIntN(64, raw));
  const storage = die.number(attribute.byteSize) ?? sizeOfType() ?? 4;
  return start + storage * 8 - fromTop - size;
}
