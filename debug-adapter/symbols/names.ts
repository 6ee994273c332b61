/**
 * What the image's DWARF defines at file level, by name: one scan over all units into columns of numbers, with the hash
 * of a name in place of the name. A name is compared only when its hash is asked for.
 */
import { type Abbrev, type AttributeSpec, readU32, skipAttributes } from './abbrev.ts';
import type { DebugInfo } from './debug-info.ts';
import type { Die } from './die.ts';
import { attribute, form, tag } from './dwarf-constants.ts';
import type { Unit } from './unit.ts';

export const nameKinds = { function: 1, variable: 2, variableDeclaration: 3, type: 4, enumerator: 5 } as const;
export type NameKind = (typeof nameKinds)[keyof typeof nameKinds];

const kinds = new Map<number, NameKind>([
  [tag.subprogram, nameKinds.function],
  [tag.variable, nameKinds.variable],
  [tag.structureType, nameKinds.type],
  [tag.classType, nameKinds.type],
  [tag.unionType, nameKinds.type],
  [tag.enumerationType, nameKinds.type],
  [tag.typedef, nameKinds.type],
  [tag.baseType, nameKinds.type],
  [tag.enumerator, nameKinds.enumerator],
]);

const noEntry = 0xffff_ffff;

export class Names {
  private count = 0;
  private hashes = new Uint32Array(1024);
  /** Of an enumerator: its enumeration. */
  private dies = new Uint32Array(1024);
  private kinds = new Uint8Array(1024);
  /** Hash table: the first entry of each bucket, and the next one of the same bucket for each entry. */
  private readonly heads: Uint32Array;
  private readonly next: Uint32Array;

  constructor(private readonly info: DebugInfo) {
    for (const unit of info.units) info.tolerate(() => this.scan(unit), undefined);
    const size = 2 ** Math.ceil(Math.log2(this.count + 1));
    this.heads = new Uint32Array(size).fill(noEntry);
    this.next = new Uint32Array(this.count);
    for (let entry = this.count - 1; entry >= 0; entry--) {
      const bucket = (this.hashes[entry] as number) & (size - 1);
      this.next[entry] = this.heads[bucket] as number;
      this.heads[bucket] = entry;
    }
  }

  /** Entries of that name, in the file's order; for an enumerator, its enumeration. */
  *find(name: string, kind: NameKind): Generator<Die> {
    const bytes = Buffer.from(name, 'utf8');
    const hash = hashOf(bytes, 0, bytes.length);
    let entry = this.heads[hash & (this.heads.length - 1)] as number;
    for (; entry !== noEntry; entry = this.next[entry] as number) {
      if (this.hashes[entry] !== hash || this.kinds[entry] !== kind) continue;
      const die = this.info.dieAt(this.dies[entry] as number);
      if (kind === nameKinds.enumerator || die.name === name) yield die;
    }
  }

  private scan(unit: Unit): void {
    const bytes = unit.passingBytes;
    const { abbrevs, header } = unit;
    /** Whether the entries at each depth are of file level, and the enumeration around them. */
    const counts: boolean[] = [false];
    const enumerations: number[] = [0];
    let depth = 0;
    for (let at = header.headerSize; at < bytes.length; ) {
      const start = at;
      let code = bytes[at++] as number;
      if (code >= 0x80) {
        code &= 0x7f;
        for (let scale = 128, more = true; more && at < bytes.length; scale *= 128) {
          const byte = bytes[at++] as number;
          code += (byte & 0x7f) * scale;
          more = byte >= 0x80;
        }
      }
      if (code === 0) {
        if (--depth <= 0) return;
        continue;
      }
      const abbrev = abbrevs.get(code);
      if (!abbrev) throw unit.cursor(start).error(`abbreviation ${code} is not in the unit's table`);
      const { skips } = abbrev;
      if (counts[depth]) this.add(unit, bytes, abbrev, start, at, enumerations[depth] as number);
      const sibling = abbrev.hasChildren && depth > 0 ? siblingOf(abbrev, bytes, at, header) : 0;
      at = skipAttributes(skips, skips.length, bytes, at, header);
      if (at > bytes.length) unit.cursor(start).fail('entry goes on behind its unit');
      if (!abbrev.hasChildren) {
        if (depth === 0) return;
        continue;
      }
      const isEnumeration = abbrev.tag === tag.enumerationType;
      const entered = depth === 0 || (counts[depth] && (abbrev.tag === tag.namespace || isEnumeration)) === true;
      if (!entered && sibling > at && sibling <= bytes.length) {
        at = sibling;
        continue;
      }
      depth++;
      counts[depth] = entered;
      enumerations[depth] = isEnumeration ? start : 0;
    }
  }

  private add(unit: Unit, bytes: Uint8Array, abbrev: Abbrev, start: number, at: number, enumeration: number): void {
    let kind = kinds.get(abbrev.tag);
    if (kind === undefined) return;
    const own = unit.header.offset;
    if (abbrev.isDeclaration) {
      if (kind !== nameKinds.variable) return;
      kind = nameKinds.variableDeclaration;
    }
    if (!abbrev.name) {
      // The definition of what was declared before has its name there.
      const refers = abbrev.attributes.some(
        (spec) =>
          spec.name === attribute.specification ||
          (spec.name === attribute.abstractOrigin && spec.form === form.refAddr),
      );
      const name = refers ? unit.dieAt(own + start).name : undefined;
      if (name === undefined) return;
      const text = Buffer.from(name, 'utf8');
      this.push(hashOf(text, 0, text.length), own + start, kind);
      return;
    }
    const hash = this.hashName(unit, bytes, abbrev, abbrev.name, start, at);
    this.push(hash, own + (kind === nameKinds.enumerator ? enumeration : start), kind);
  }

  private hashName(
    unit: Unit,
    bytes: Uint8Array,
    abbrev: Abbrev,
    way: AttributeSpec,
    start: number,
    attributesAt: number,
  ): number {
    const at = skipAttributes(abbrev.skips, way.steps, bytes, attributesAt, unit.header) + way.bytes;
    if (way.form === form.string) return hashOf(bytes, at, bytes.length);
    if (way.form === form.strp && unit.header.offsetSize === 4) {
      const strings = this.info.section('.debug_str');
      return hashOf(strings, readU32(bytes, at), strings.length);
    }
    const text = Buffer.from(unit.dieAt(unit.header.offset + start).name ?? '');
    return hashOf(text, 0, text.length);
  }

  private push(hash: number, die: number, kind: NameKind): void {
    if (this.count === this.dies.length) {
      const grow = <T extends Uint32Array | Uint8Array>(into: T, from: T): T => {
        into.set(from);
        return into;
      };
      this.hashes = grow(new Uint32Array(this.count * 2), this.hashes);
      this.dies = grow(new Uint32Array(this.count * 2), this.dies);
      this.kinds = grow(new Uint8Array(this.count * 2), this.kinds);
    }
    this.hashes[this.count] = hash;
    this.dies[this.count] = die;
    this.kinds[this.count] = kind;
    this.count++;
  }
}

/** FNV-1a up to a zero byte. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte === 0) break;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

function siblingOf(abbrev: Abbrev, bytes: Uint8Array, at: number, sizes: Unit['header']): number {
  const way = abbrev.sibling;
  if (way?.form !== form.ref4) return 0;
  return readU32(bytes, skipAttributes(abbrev.skips, way.steps, bytes, at, sizes) + way.bytes);
}
