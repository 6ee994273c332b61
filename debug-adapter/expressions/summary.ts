/** One line for a value of any type, bounded in length, depth and in what it reads from the guest. */
import type { Type } from '../symbols/api.ts';
import type { EvaluationContext } from './api.ts';
import type { BitRange } from './bytes.ts';
import { floatText, integerText, pointerText, pointsToText, type Radix } from './scalar-text.ts';
import { decodeScalar } from './scalars.ts';
import { readString, stringLiteral } from './strings.ts';
import { typeName } from './type-name.ts';
import {
  type AggregateType,
  type ArrayType,
  isAggregate,
  isCharacter,
  type PointerType,
  sizeOf,
  strip,
  unknownCode,
} from './types.ts';

export interface SummaryLimits {
  /** Characters after which structs and arrays end with `...`. */
  readonly characters: number;
  /** Elements of one array or string. */
  readonly elements: number;
  readonly depth: number;
  /** Strings fetched from the guest for one line. */
  readonly strings: number;
}

export const usualLimits: SummaryLimits = { characters: 400, elements: 200, depth: 4, strings: 8 };

/** Equal neighbours from this number on are written once, as gdb does. */
const REPEATS = 10;

/** What is known of a value: its bytes, cut short where memory ends or the limit was reached. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly address?: bigint;
  readonly bits?: BitRange;
  /** The bytes go on behind what was read. */
  readonly partial: boolean;
}

export class Summary {
  private left: number;
  private strings: number;

  constructor(
    private readonly context: EvaluationContext,
    private readonly radix: Radix,
    private readonly limits: SummaryLimits,
  ) {
    this.left = limits.characters;
    this.strings = limits.strings;
  }

  async text(type: Type, content: Content, depth = 0): Promise<string> {
    const text = await this.anyText(type, content, depth);
    this.left -= text.endsWith('}') ? 2 : text.length;
    return text;
  }

  private async anyText(type: Type, content: Content, depth: number): Promise<string> {
    const plain = strip(type);
    if (isAggregate(plain)) return this.aggregate(plain, content, depth);
    switch (plain.kind) {
      case 'array':
        return this.array(plain, content, depth);
      case 'function':
        return `{${type === unknownCode ? typeName(unknownCode.returns) : typeName(type)}} ${this.address(content)}`;
      case 'void':
        return 'void';
      default: {
        const width = content.bits?.size ?? plain.size * 8;
        if (content.bytes.length * 8 < (content.bits?.offset ?? 0) + width) return missing(content);
        const value = decodeScalar(content.bytes, plain, content.bits);
        if (value === undefined) return `<${typeName(plain)}>`;
        if (typeof value === 'number') return floatText(value, plain.size);
        return plain.kind === 'pointer' ? this.pointer(plain, value) : integerText(value, plain, this.radix, width);
      }
    }
  }

  private address({ address }: Content): string {
    return address === undefined ? '' : pointerText(address, 'natural', this.context.symbols);
  }

  private async pointer(type: PointerType, value: bigint): Promise<string> {
    const text = pointerText(value, this.radix, this.context.symbols);
    const wanted = this.radix === 'natural' || this.radix === 'string';
    if (value === 0n || !wanted || !pointsToText(type.target) || this.strings <= 0) return text;
    this.strings--;
    const string = await readString(value, this.limits.elements, this.context);
    if (!string) return `${text} ${this.whyUnmapped(value)}`;
    return `${text} ${stringLiteral(string.bytes)}${string.terminated ? '' : '...'}`;
  }

  /** A kernel that looks at a pointer of a process it does not run, or at no address at all. */
  private whyUnmapped(address: bigint): string {
    const top = address >> 47n;
    if (top !== 0n && top !== 0x1ffffn && this.context.symbols?.machine !== 'i386')
      return '<not mapped, non-canonical>';
    const kernel = this.context.frame.pc >> 63n !== 0n;
    return kernel && top === 0n ? '<not mapped, user address>' : '<not mapped>';
  }

  private async aggregate(type: AggregateType, content: Content, depth: number): Promise<string> {
    if (type.declaration) return '<incomplete type>';
    if (depth >= this.limits.depth) return '{...}';
    const parts: string[] = [];
    for (const { name, type: memberType, offset, bits } of type.members) {
      if (this.left <= 0) {
        parts.push('...');
        break;
      }
      const text = await this.text(memberType, part(content, offset, bits), depth + 1);
      if (name !== undefined) this.left -= name.length + 5;
      parts.push(name === undefined ? text : `${name} = ${text}`);
    }
    return `{${parts.join(', ')}}`;
  }

  private async array(type: ArrayType, content: Content, depth: number): Promise<string> {
    const size = sizeOf(type.element);
    if (type.count === undefined || size === undefined) return this.address(content) || '{...}';
    const text = this.radix === 'natural' || this.radix === 'string';
    if (text && isCharacter(type.element)) return this.characters(type.count, content);
    if (type.count === 0 || size === 0) return '{}';
    if (content.bytes.length < size) return missing(content);
    if (depth >= this.limits.depth) return '{...}';
    return this.elements(type, size, content, depth);
  }

  private async elements({ element, count = 0 }: ArrayType, size: number, content: Content, depth: number) {
    const parts: string[] = [];
    const known = Math.min(count, Math.floor(content.bytes.length / size));
    let index = 0;
    let more = known < count;
    while (index < known) {
      if (parts.length >= this.limits.elements || this.left <= 0) {
        more = true;
        break;
      }
      const repeats = countRepeats(content.bytes, index, known, size);
      const text = await this.text(element, part(content, index * size), depth + 1);
      if (repeats >= REPEATS) {
        parts.push(`${text} <repeats ${repeats} times>`);
        index += repeats;
      } else {
        parts.push(text);
        index++;
      }
    }
    return `{${parts.join(', ')}${more ? '...' : ''}}`;
  }

  /** A character array, without the NULs that fill its end. */
  private characters(count: number, { bytes, partial }: Content): string {
    if (bytes.length === 0 && count > 0) return missing({ partial });
    const known = bytes.subarray(0, count);
    let end = known.length;
    while (end > 0 && known[end - 1] === 0) end--;
    const shown = known.subarray(0, Math.min(end, this.limits.elements));
    const cut = shown.length < end || (end === known.length && known.length < count);
    return `${stringLiteral(shown)}${cut ? '...' : ''}`;
  }
}

const missing = ({ partial }: { partial: boolean }) => (partial ? '...' : '<not mapped>');

function part(content: Content, offset: number, bits?: BitRange): Content {
  const { bytes, address, partial } = content;
  const inner = bits && { offset: bits.offset, size: bits.size };
  return {
    bytes: bytes.subarray(offset),
    partial,
    ...(address !== undefined && { address: BigInt.asUintN(64, address + BigInt(offset)) }),
    ...(inner && { bits: inner }),
  };
}

/** How many elements from `index` on have the same bytes. */
function countRepeats(bytes: Uint8Array, index: number, end: number, size: number): number {
  const first = Buffer.from(bytes.buffer, bytes.byteOffset + index * size, size);
  let next = index + 1;
  while (next < end && first.equals(bytes.subarray(next * size, (next + 1) * size))) next++;
  return next - index;
}
