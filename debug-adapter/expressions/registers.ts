/** `$name`: machine registers and parts of them as typed values. Intel SDM volume 1, 3.4. */
import type { Type } from '../symbols/api.ts';
import { type EvaluationContext, ExpressionError, type Value } from './api.ts';
import { type BaseType, type DataModel, voidType } from './types.ts';

interface Part {
  readonly register: string;
  readonly size: number;
  /** Set for the high byte registers. */
  readonly shift?: number;
}

/** gdb's names that do not depend on the machine. */
const ALIASES: Readonly<Record<string, string>> = { pc: 'rip', sp: 'rsp', fp: 'rbp', ps: 'eflags', rflags: 'eflags' };

const parts = new Map<string, Part>();
for (const letter of ['a', 'b', 'c', 'd']) {
  const register = `r${letter}x`;
  parts.set(`e${letter}x`, { register, size: 4 });
  parts.set(`${letter}x`, { register, size: 2 });
  parts.set(`${letter}l`, { register, size: 1 });
  parts.set(`${letter}h`, { register, size: 1, shift: 8 });
}
for (const name of ['si', 'di', 'bp', 'sp', 'ip']) {
  const register = `r${name}`;
  parts.set(`e${name}`, { register, size: 4 });
  if (name === 'ip') continue;
  parts.set(name, { register, size: 2 });
  parts.set(`${name}l`, { register, size: 1 });
}
for (let number = 8; number < 16; number++) {
  const register = `r${number}`;
  parts.set(`${register}d`, { register, size: 4 });
  parts.set(`${register}w`, { register, size: 2 });
  for (const suffix of ['l', 'b']) parts.set(`${register}${suffix}`, { register, size: 1 });
}

/** Names that can follow `$` in this context, parts of registers included. */
export function allRegisterNames(context: EvaluationContext): readonly string[] {
  const own = context.registerNames();
  const known = new Set(own);
  const has = (name: string) => known.has(name);
  const derived = [...parts].filter(([name, part]) => has(part.register) && !has(name)).map(([name]) => name);
  const aliases = Object.entries(ALIASES).filter(([name, register]) => has(register) && !has(name));
  return [...new Set([...own, ...aliases.map(([name]) => name), ...derived])];
}

/** Throws ExpressionError for a name that is no register, or one not known in the frame. */
export async function registerValue(
  written: string,
  context: EvaluationContext,
  model: DataModel,
  at: number,
): Promise<Value> {
  const known = new Set(context.registerNames());
  const name = findName(written, known);
  if (name !== undefined) {
    const bytes = await context.readRegister(name);
    if (!bytes) throw new ExpressionError(`Register $${name} is not known in this frame.`, at);
    return { type: typeOf(name, bytes.length, model), place: { kind: 'register', name }, expression: '' };
  }
  const part = parts.get(written) ?? parts.get(written.toLowerCase());
  if (part && known.has(part.register)) {
    const type = typeOf(written.toLowerCase(), part.size, model);
    const place = { kind: 'register', name: part.register } as const;
    return { type, place, bits: { offset: part.shift ?? 0, size: part.size * 8 }, expression: '' };
  }
  throw new ExpressionError(`There is no register $${written}.`, at);
}

/** A target that describes only 32-bit registers still answers to `$pc` and `$sp`. */
function findName(written: string, known: ReadonlySet<string>): string | undefined {
  const lower = written.toLowerCase();
  const alias = ALIASES[lower];
  return [written, lower, alias, alias?.replace('r', 'e')].find((name) => name !== undefined && known.has(name));
}

const codePointer = (size: number): Type => ({
  kind: 'pointer',
  size,
  target: { kind: 'function', returns: voidType, parameters: [], variadic: false },
});
const CODE = new Set(['rip', 'eip', 'lstar', 'cstar']);
const DATA = new Set('rsp rbp esp ebp fs_base gs_base k_gs_base'.split(' '));
/** Read as bit patterns, not as numbers. */
const BITS = /^(cr\d+|dr\d+|efer|mxcsr|star|sfmask|xcr0|gdtr|idtr)$/;

function typeOf(name: string, size: number, model: DataModel): Type {
  if (name === FLAGS || name === 'rflags') return { kind: 'base', name: FLAGS, size, encoding: 'unsigned' };
  const wide = size === 8 || size === 4;
  if (CODE.has(name) && wide) return codePointer(size);
  if (DATA.has(name) && wide) return { kind: 'pointer', size, target: voidType };
  if (size === 10) return { kind: 'base', name: 'long double', size, encoding: 'float' };
  if (size >= 16) return vector(size, model);
  return integer(size, BITS.test(name) ? 'unsigned' : 'signed');
}

/** Also one byte is a number here, and not a character. */
const integer = (size: number, encoding: 'signed' | 'unsigned'): BaseType => ({
  kind: 'base',
  name: `${encoding === 'unsigned' ? 'u' : ''}int${size * 8}_t`,
  size,
  encoding,
});

/** A vector register, seen as lanes of every width. */
function vector(size: number, model: DataModel): Type {
  const lanes: readonly [string, BaseType][] = [
    ['float', model.float],
    ['double', model.double],
    ['int8', integer(1, 'signed')],
    ['int16', integer(2, 'signed')],
    ['int32', integer(4, 'signed')],
    ['int64', integer(8, 'signed')],
  ];
  const members = lanes.map(([name, element]) => {
    const count = Math.floor(size / element.size);
    return { name: `v${count}_${name}`, offset: 0, type: { kind: 'array', element, count } as const };
  });
  return { kind: 'union', name: `vec${size * 8}`, size, members, declaration: false };
}

/** Name of the type of RFLAGS; no C type can be called so. */
const FLAGS = 'eflags';

/** RFLAGS, Intel SDM volume 1, 3.4.3. */
const FLAG_NAMES: readonly (readonly [string, number])[] = [
  ['CF', 0],
  ['PF', 2],
  ['AF', 4],
  ['ZF', 6],
  ['SF', 7],
  ['TF', 8],
  ['IF', 9],
  ['DF', 10],
  ['OF', 11],
  ['NT', 14],
  ['RF', 16],
  ['VM', 17],
  ['AC', 18],
  ['VIF', 19],
  ['VIP', 20],
  ['ID', 21],
];

export function isFlagsRegister(type: Type): boolean {
  return type.kind === 'base' && type.name === FLAGS;
}

/** `0x246 [PF ZF IF]` */
export function flagsText(value: bigint): string {
  const names = FLAG_NAMES.filter(([, bit]) => (value >> BigInt(bit)) & 1n).map(([name]) => name);
  const level = (value >> 12n) & 3n;
  if (level) names.push(`IOPL=${level}`);
  return `0x${value.toString(16)} [${names.join(' ')}]`;
}
