/** One debugging information entry and its attributes, read when asked. */
import { type Abbrev, type AttributeSpec, readU32, skipAttributes } from './abbrev.ts';
import type { Cursor } from './bytes.ts';
import { attribute, form } from './dwarf-constants.ts';
import { type FormValue, readForm } from './forms.ts';
import type { Unit } from './unit.ts';

/** Entries that refer to each other by abstract origin or specification form short chains; a longer one is a loop. */
const maximumChain = 8;

export class Die {
  private constructor(
    readonly unit: Unit,
    /** From the start of the unit. */
    readonly at: number,
    readonly abbrev: Abbrev,
    /** Where the attributes begin. */
    private readonly attributesAt: number,
  ) {}

  /** The entry at a position in a unit; undefined for the null entry that ends a list of children. */
  static at(unit: Unit, at: number): Die | undefined {
    const cursor: Cursor = unit.cursor(at);
    const code = cursor.uleb();
    if (code === 0) return undefined;
    const abbrev = unit.abbrevs.get(code);
    if (!abbrev) cursor.fail(`abbreviation ${code} is not in the unit's table`);
    return new Die(unit, at, abbrev, cursor.at);
  }

  get tag(): number {
    return this.abbrev.tag;
  }

  /** Unique in the image; what {@link DebugInfo.dieAt} takes. */
  get offset(): number {
    return this.unit.header.offset + this.at;
  }

  has(name: number): boolean {
    return this.abbrev.attributes.some((spec) => spec.name === name);
  }

  value(name: number): FormValue | undefined {
    const spec = this.abbrev.attributes.find((each) => each.name === name);
    return spec && readForm(this.unit.cursor(this.positionOf(spec)), spec.form, spec.implicit, this.unit);
  }

  private positionOf(spec: AttributeSpec): number {
    const { bytes, header } = this.unit;
    return skipAttributes(this.abbrev.skips, spec.steps, bytes, this.attributesAt, header) + spec.bytes;
  }

  string(name: number): string | undefined {
    const value = this.value(name);
    return value?.kind === 'string' ? value.text : undefined;
  }

  flag(name: number): boolean {
    const value = this.value(name);
    return value?.kind === 'flag' && value.set;
  }

  constant(name: number): bigint | undefined {
    const value = this.value(name);
    return value?.kind === 'constant' ? value.value : undefined;
  }

  /** A constant that is a size, line or the like: undefined where it is none or is out of range. */
  number(name: number): number | undefined {
    const value = this.constant(name);
    return value === undefined || value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)
      ? undefined
      : Number(value);
  }

  /** As a distance of `Addresses`. */
  address(name: number): number | undefined {
    const value = this.value(name);
    return value?.kind === 'address' ? this.unit.info.addresses.toDistance(value.address) : undefined;
  }

  /** An offset into another section; DWARF 3 and older wrote a constant. */
  sectionOffset(name: number): number | undefined {
    const value = this.value(name);
    if (value?.kind === 'offset') return value.offset;
    return value?.kind === 'constant' && this.unit.header.version < 4 ? Number(value.value) : undefined;
  }

  block(name: number): Uint8Array | undefined {
    const value = this.value(name);
    return value?.kind === 'block' ? value.bytes : undefined;
  }

  reference(name: number): Die | undefined {
    const value = this.value(name);
    if (value?.kind === 'reference') return this.unit.info.dieAt(value.offset);
    return value?.kind === 'signature' ? this.unit.info.typeBySignature(value.signature) : undefined;
  }

  /** This entry, then what it is an instance or the definition of: DW_AT_abstract_origin and DW_AT_specification. */
  chain(): Die[] {
    const chain: Die[] = [];
    let die: Die | undefined = this;
    while (die && chain.length < maximumChain) {
      chain.push(die);
      die = die.reference(attribute.abstractOrigin) ?? die.reference(attribute.specification);
    }
    return chain;
  }

  /** The first entry of {@link chain} that has the attribute. */
  bearer(name: number): Die | undefined {
    return this.has(name) ? this : this.chain().find((die) => die.has(name));
  }

  get name(): string | undefined {
    return this.bearer(attribute.name)?.string(attribute.name);
  }

  get type(): Die | undefined {
    return this.bearer(attribute.type)?.reference(attribute.type);
  }

  /** Position behind the attributes: the first child, or the next entry of the same list. */
  private get end(): number {
    const { skips } = this.abbrev;
    const end = skipAttributes(skips, skips.length, this.unit.bytes, this.attributesAt, this.unit.header);
    if (end > this.unit.bytes.length) this.unit.cursor(this.attributesAt).fail('entry goes on behind its unit');
    return end;
  }

  /** Position behind this entry's children. */
  private get next(): number {
    if (!this.abbrev.hasChildren) return this.end;
    const sibling = this.siblingPosition();
    if (sibling !== undefined) return sibling;
    let at = this.end;
    for (let depth = 1; depth > 0 && at < this.unit.bytes.length; ) {
      const die = Die.at(this.unit, at);
      if (!die) {
        at++;
        depth--;
        continue;
      }
      const skipped = die.abbrev.hasChildren ? die.siblingPosition() : undefined;
      if (die.abbrev.hasChildren && skipped === undefined) depth++;
      at = skipped ?? die.end;
    }
    return at;
  }

  /** DW_AT_sibling, where it is there and leads forward. */
  private siblingPosition(): number | undefined {
    const spec = this.abbrev.sibling;
    if (spec?.form !== form.ref4) return undefined;
    const { bytes } = this.unit;
    const at = this.positionOf(spec);
    const sibling = readU32(bytes, at);
    return sibling > at && sibling <= bytes.length ? sibling : undefined;
  }

  *children(): Generator<Die> {
    if (!this.abbrev.hasChildren) return;
    let at = this.end;
    while (at < this.unit.bytes.length) {
      const die = Die.at(this.unit, at);
      if (!die) return;
      yield die;
      at = die.next;
    }
  }
}
