/** Unit headers and what a unit's root entry says for the rest of the unit. DWARF 5, 7.5.1. */
import type { AbbrevTable, FormSizes } from './abbrev.ts';
import { Cursor } from './bytes.ts';
import type { DebugInfo } from './debug-info.ts';
import { Die } from './die.ts';
import { attribute, unitType } from './dwarf-constants.ts';
import type { Contributions, DebugSectionName, UnitPart } from './unit-part.ts';

export interface UnitHeader extends FormSizes {
  /** Position in `.debug_info`; units of `.debug_types` and of files of split DWARF follow behind its end. */
  readonly offset: number;
  readonly headerSize: number;
  /** Whole unit, header included. */
  readonly size: number;
  readonly abbrevOffset: number;
  readonly type: number;
  readonly signature?: bigint;
  /** Of DWARF 5, see {@link Unit.dwoId}. */
  readonly dwoId?: bigint;
  /** Of the type that a type unit describes, from the start of the unit. */
  readonly typeOffset?: number;
}

/** Longest header: 64-bit DWARF 5 type unit. */
export const maximumUnitHeader = 40;

/** @param offset Position of the cursor's first byte, as in {@link UnitHeader.offset}. */
export function readUnitHeader(cursor: Cursor, offset: number, inTypesSection: boolean): UnitHeader {
  let length = cursor.u32();
  let offsetSize = 4;
  if (length === 0xffff_ffff) {
    length = cursor.u64AsNumber();
    offsetSize = 8;
  } else if (length >= 0xffff_fff0) cursor.fail('unit length is a reserved value');
  const size = length + cursor.at;
  const version = cursor.u16();
  if (version < 2 || version > 5) cursor.fail(`DWARF version ${version} is not supported, 2 to 5 are`);
  let type: number = inTypesSection ? unitType.type : unitType.compile;
  let addressSize: number;
  let abbrevOffset: number;
  let dwoId: bigint | undefined;
  if (version >= 5) {
    type = cursor.u8();
    addressSize = cursor.u8();
    abbrevOffset = cursor.word(offsetSize);
    if (type === unitType.skeleton || type === unitType.splitCompile) dwoId = cursor.u64();
  } else {
    abbrevOffset = cursor.word(offsetSize);
    addressSize = cursor.u8();
  }
  if (addressSize !== 4 && addressSize !== 8) cursor.fail(`addresses of ${addressSize} bytes are not supported`);
  const header = { offset, size, version, type, addressSize, abbrevOffset, offsetSize };
  if (type !== unitType.type && type !== unitType.splitType)
    return { ...header, ...(dwoId === undefined ? {} : { dwoId }), headerSize: cursor.at };
  const signature = cursor.u64();
  const typeOffset = cursor.word(offsetSize);
  return { ...header, signature, typeOffset, headerSize: cursor.at };
}

export class Unit {
  private loaded: Uint8Array | undefined;
  private table: AbbrevTable | undefined;
  private rootDie: Die | undefined;
  private readonly bases = new Map<number, number>();

  constructor(
    readonly info: DebugInfo,
    readonly header: UnitHeader,
    readonly part: UnitPart,
    readonly index: number,
    /** The unit in the image that stands for this one, which is in a file of its own. DWARF 5, 3.1.2 and 3.1.3. */
    public skeleton?: Unit,
    private readonly contributions?: Contributions,
  ) {}

  /** Describes one type and no code. */
  get isType(): boolean {
    return this.header.type === unitType.type || this.header.type === unitType.splitType;
  }

  /** Whole bytes of the section that this unit's attributes lead into; empty where there is none. */
  section(name: DebugSectionName): Uint8Array {
    const whole = this.info.section(name, this.part);
    const own = this.contributions?.get(name);
    return own ? whole.subarray(own.offset, own.offset + own.size) : whole;
  }

  /** Where this unit's part of a section begins in the section. */
  startIn(name: DebugSectionName): number {
    return this.contributions?.get(name)?.offset ?? 0;
  }

  /** What DW_FORM_ref_addr counts from, as in {@link UnitHeader.offset}. */
  get referencesFrom(): number {
    return this.skeleton ? this.part.bias + this.startIn('.debug_info') : 0;
  }

  /** What a skeleton and the unit that it stands for have in common; of DWARF 4, GNU's extension, an attribute. */
  get dwoId(): bigint | undefined {
    return this.header.dwoId ?? (this.header.version < 5 ? this.root.constant(attribute.gnuDwoId) : undefined);
  }

  get bytes(): Uint8Array {
    if (!this.loaded) {
      this.loaded = this.info.readUnit(this);
      this.info.keep(this);
    }
    return this.loaded;
  }

  /** Lets go of the bytes, which are read again when they are asked for. */
  unload(): void {
    this.loaded = undefined;
    this.rootDie = undefined;
  }

  /** Bytes that somebody else has read already, until {@link Unit.unload}. */
  lend(bytes: Uint8Array): void {
    this.loaded = bytes;
  }

  get abbrevs(): AbbrevTable {
    this.table ??= this.info.abbrevs(this);
    return this.table;
  }

  get root(): Die {
    this.rootDie ??= this.dieAt(this.header.offset + this.header.headerSize);
    return this.rootDie;
  }

  /** @param offset As in {@link UnitHeader.offset}. */
  dieAt(offset: number): Die {
    const die = Die.at(this, offset - this.header.offset);
    if (!die) throw this.cursor(Math.min(offset - this.header.offset, this.header.size)).fail('no entry here');
    return die;
  }

  /** @param at Position from the start of the unit. */
  cursor(at: number): Cursor {
    return new Cursor(this.bytes, at, '.debug_info', this.bytes.length, this.header.offset);
  }

  /** Distance of DW_AT_low_pc, to which range and location lists are relative; undefined where the root has none. */
  get base(): number | undefined {
    return this.inImage.root.address(attribute.lowPc);
  }

  get directory(): string {
    return this.inImage.root.string(attribute.compDir) ?? '';
  }

  /** The unit that has what only the linked image knows: addresses and the line table. */
  get inImage(): Unit {
    return this.skeleton ?? this;
  }

  get producer(): string {
    return this.root.string(attribute.producer) ?? '';
  }

  get lineOffset(): number | undefined {
    return this.inImage.root.sectionOffset(attribute.stmtList);
  }

  get strOffsetsBase(): number {
    return this.baseOf(attribute.strOffsetsBase, 8);
  }

  get addrBase(): number {
    return (
      this.skeleton?.addrBase ?? this.baseOf(this.header.version < 5 ? attribute.gnuAddrBase : attribute.addrBase, 8)
    );
  }

  /** What this unit's offsets in DWARF 4's `.debug_ranges` count from. */
  get rangesBase(): number {
    return this.skeleton?.root.sectionOffset(attribute.gnuRangesBase) ?? 0;
  }

  get rnglistsBase(): number {
    return this.baseOf(attribute.rnglistsBase, 12);
  }

  get loclistsBase(): number {
    return this.baseOf(attribute.loclistsBase, 12);
  }

  /** Where this unit's part of a section begins; without a word on it, behind the section's first header, which DWARF 4 lacks. */
  private baseOf(name: number, headerSize: number): number {
    let base = this.bases.get(name);
    if (base === undefined) {
      const { offsetSize, version } = this.header;
      base = this.root.sectionOffset(name) ?? (version < 5 ? 0 : headerSize + (offsetSize === 8 ? 8 : 0));
      this.bases.set(name, base);
    }
    return base;
  }
}
