/** Attribute values by form. DWARF 5, 7.5.5 and 7.5.6. */
import { type Cursor, stringAt } from './bytes.ts';
import { form } from './dwarf-constants.ts';
import type { Unit } from './unit.ts';

export type FormValue =
  | { readonly kind: 'address'; readonly address: bigint }
  /** `signed` only where the form says so: others hold the bits as they are in the file. */
  | { readonly kind: 'constant'; readonly value: bigint; readonly signed: boolean }
  | { readonly kind: 'block'; readonly bytes: Uint8Array }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'flag'; readonly set: boolean }
  /** As in `UnitHeader.offset`. */
  | { readonly kind: 'reference'; readonly offset: number }
  | { readonly kind: 'signature'; readonly signature: bigint }
  | { readonly kind: 'offset'; readonly offset: number }
  /** Index into the unit's range or location lists. */
  | { readonly kind: 'list'; readonly index: number }
  /** In a supplementary file, which is not read. */
  | { readonly kind: 'elsewhere' };

export function readForm(cursor: Cursor, code: number, implicit: bigint, unit: Unit): FormValue {
  const { header, info } = unit;
  const constant = (value: bigint, signed = false): FormValue => ({ kind: 'constant', value, signed });
  const local = (offset: number): FormValue => ({ kind: 'reference', offset: header.offset + offset });
  const block = (length: number): FormValue => ({ kind: 'block', bytes: cursor.block(length) });
  const text = (value: string): FormValue => ({ kind: 'string', text: value });
  const indexedText = (index: number): FormValue => text(info.indexedString(unit, index));
  const indexedAddress = (index: number): FormValue => ({ kind: 'address', address: info.indexedAddress(unit, index) });
  switch (code) {
    case form.addr:
      return { kind: 'address', address: cursor.unsigned(header.addressSize) };
    case form.addrx:
    case form.gnuAddrIndex:
      return indexedAddress(cursor.uleb());
    case form.addrx1:
      return indexedAddress(cursor.u8());
    case form.addrx2:
      return indexedAddress(cursor.u16());
    case form.addrx3:
      return indexedAddress(cursor.u24());
    case form.addrx4:
      return indexedAddress(cursor.u32());
    case form.data1:
      return constant(cursor.unsigned(1));
    case form.data2:
      return constant(cursor.unsigned(2));
    case form.data4:
      return constant(cursor.unsigned(4));
    case form.data8:
      return constant(cursor.unsigned(8));
    case form.data16:
      return block(16);
    case form.udata:
      return constant(cursor.ulebBig());
    case form.sdata:
      return constant(cursor.slebBig(), true);
    case form.implicitConst:
      return constant(implicit, true);
    case form.block1:
      return block(cursor.u8());
    case form.block2:
      return block(cursor.u16());
    case form.block4:
      return block(cursor.u32());
    case form.block:
    case form.exprloc:
      return block(cursor.uleb());
    case form.string:
      return text(cursor.string());
    case form.strp:
      return text(stringAt(unit.section('.debug_str'), cursor.word(header.offsetSize)));
    case form.lineStrp:
      return text(info.string('.debug_line_str', cursor.word(header.offsetSize)));
    case form.strx:
    case form.gnuStrIndex:
      return indexedText(cursor.uleb());
    case form.strx1:
      return indexedText(cursor.u8());
    case form.strx2:
      return indexedText(cursor.u16());
    case form.strx3:
      return indexedText(cursor.u24());
    case form.strx4:
      return indexedText(cursor.u32());
    case form.flag:
      return { kind: 'flag', set: cursor.u8() !== 0 };
    case form.flagPresent:
      return { kind: 'flag', set: true };
    case form.ref1:
      return local(cursor.u8());
    case form.ref2:
      return local(cursor.u16());
    case form.ref4:
      return local(cursor.u32());
    case form.ref8:
      return local(cursor.u64AsNumber());
    case form.refUdata:
      return local(cursor.uleb());
    case form.refAddr:
      return {
        kind: 'reference',
        offset: unit.referencesFrom + cursor.word(header.version <= 2 ? header.addressSize : header.offsetSize),
      };
    case form.refSig8:
      return { kind: 'signature', signature: cursor.u64() };
    case form.secOffset:
      return { kind: 'offset', offset: cursor.word(header.offsetSize) };
    case form.loclistx:
    case form.rnglistx:
      return { kind: 'list', index: cursor.uleb() };
    case form.indirect: {
      const inner = cursor.uleb();
      if (inner === form.indirect || inner === form.implicitConst) cursor.fail('indirect form of an indirect form');
      return readForm(cursor, inner, 0n, unit);
    }
    case form.refSup4:
      cursor.skip(4);
      return { kind: 'elsewhere' };
    case form.refSup8:
      cursor.skip(8);
      return { kind: 'elsewhere' };
    case form.strpSup:
    case 0x1f20: // DW_FORM_GNU_ref_alt
    case 0x1f21: // DW_FORM_GNU_strp_alt
      cursor.skip(header.offsetSize);
      return { kind: 'elsewhere' };
    default:
      return cursor.fail(`form 0x${code.toString(16)} is not known`);
  }
}
