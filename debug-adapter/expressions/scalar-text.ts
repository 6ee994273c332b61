/** One scalar as text, in the natural form of its type or in a radix. */
import type { SymbolIndex, Type } from '../symbols/api.ts';
import { symbolText } from '../symbols/readable-name.ts';
import type { ValueFormat } from './api.ts';
import { flagsText, isFlagsRegister } from './registers.ts';
import { wrap } from './scalars.ts';
import { characterLiteral } from './strings.ts';
import { type EnumType, isBoolean, isCharacter, isSigned, type PlainType, strip } from './types.ts';

export type Radix = ValueFormat['radix'];

/** An integer or enumerator of `width` bits; radix forms show the bits, without a sign. */
export function integerText(value: bigint, type: PlainType, radix: Radix, width: number): string {
  const raw = BigInt.asUintN(width, value);
  switch (radix) {
    case 'hex':
      return `0x${raw.toString(16)}`;
    case 'binary':
      return `0b${raw.toString(2)}`;
    case 'octal':
      return raw === 0n ? '0' : `0${raw.toString(8)}`;
    case 'decimal':
      return value.toString();
    case 'character':
      return characterText(value);
    default:
      return naturalText(value, type);
  }
}

function naturalText(value: bigint, type: PlainType): string {
  if (type.kind === 'enum') return enumText(value, type);
  if (isBoolean(type)) return value === 0n ? 'false' : value === 1n ? 'true' : value.toString();
  if (isCharacter(type)) return characterText(value);
  if (isFlagsRegister(type)) return flagsText(value);
  return value.toString();
}

const characterText = (value: bigint) => `${value} ${characterLiteral(Number(BigInt.asUintN(8, value)))}`;

/** The enumerator, or for a set of flags their combination as C writes it, with what no flag stands for. */
function enumText(value: bigint, type: EnumType): string {
  const { enumerators } = type;
  const exact = enumerators.find((each) => wrap(each.value, type.size, isSigned(type)) === value);
  if (exact) return exact.name;
  if (value === 0n || !isFlagEnum(type)) return value.toString();
  let rest = value;
  const names: string[] = [];
  for (const each of enumerators) {
    if (each.value !== 0n && (value & each.value) === each.value) {
      names.push(each.name);
      rest &= ~each.value;
    }
  }
  if (rest !== 0n) names.push(names.length > 0 ? `0x${rest.toString(16)}` : value.toString());
  return names.length > 1 ? `(${names.join(' | ')})` : (names[0] ?? value.toString());
}

function isFlagEnum({ enumerators }: EnumType): boolean {
  let seen = 0n;
  for (const { value } of enumerators) {
    if (value < 0n || (seen & value) !== 0n) return false;
    seen |= value;
  }
  return seen !== 0n;
}

/** The shortest digits that read back as the same number. */
export function floatText(value: number, size: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Object.is(value, -0)) return '-0';
  if (size !== 4) return value.toString();
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short.toString();
  }
  return value.toString();
}

/** `0xffffffff80001000 <kernel_main+4>` */
export function pointerText(value: bigint, radix: Radix, symbols: SymbolIndex | undefined): string {
  if (radix !== 'natural' && radix !== 'hex' && radix !== 'string') {
    return integerText(value, { kind: 'void' }, radix, 64);
  }
  const name = radix === 'natural' ? symbolText(value, symbols) : undefined;
  return `0x${value.toString(16)}${name === undefined ? '' : ` <${name}>`}`;
}

/** Whether pointers to the type are shown with the string that they point to. */
export function pointsToText(target: Type): boolean {
  return isCharacter(strip(target));
}
