/** Where variables are by our symbols, beside where gdb finds them. */
import type { Place as Location, Type } from '../../debug-adapter/symbols/api.ts';
import type { ElfFile } from '../../debug-adapter/symbols/elf.ts';
import type { OpenSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { localsInGdb, type Place, REGISTERS, STACK } from './gdb-locals.ts';
import { vmlinux } from './vmlinux.ts';

function sizeOf(type: Type): number {
  if ('target' in type && type.kind !== 'pointer') return sizeOf(type.target);
  return 'size' in type ? type.size : 0;
}

/** As gdb's script has it; undefined for what has no such form: a structure in registers. */
function written(place: Location, type: Type): string | undefined {
  const number = (value: bigint) => `is 0x${BigInt.asUintN(8 * sizeOf(type), value).toString(16)}`;
  switch (place.kind) {
    case 'memory':
      return `at 0x${place.address.toString(16)}`;
    case 'register': {
      const value = REGISTERS.get(place.name);
      return value === undefined ? undefined : number(value);
    }
    case 'value':
      return number(
        BigInt(
          `0x${
            Buffer.from(place.bytes.subarray(0, sizeOf(type)))
              .reverse()
              .toString('hex') || '0'
          }`,
        ),
      );
    case 'optimized-out':
      return 'optimized-out';
    default:
      return undefined;
  }
}

/** As gdb's script has them, by name; the innermost of a name. */
export async function localsByUs(
  symbols: OpenSymbols,
  image: ElfFile,
  { rip, stack }: Place,
): Promise<Map<string, string | undefined>> {
  const read = async (address: bigint, length: number) => {
    const at = Number(address - STACK.low);
    return at >= 0 && at < stack.length ? stack.subarray(at, at + length) : image.load(address, length);
  };
  const found = new Map<string, string | undefined>();
  for (const variable of symbols.variablesAt(rip, 0)) {
    if (found.has(variable.name)) continue;
    const place = await symbols.locate(variable, { pc: rip, registers: new Map([...REGISTERS, ['rip', rip]]), read });
    found.set(variable.name, written(place, variable.type));
  }
  return found;
}

export interface Comparison {
  readonly differences: readonly string[];
  readonly compared: number;
  /** Static ones of a block that has code elsewhere, which gdb has in all of an inlined copy. */
  readonly elsewhere: number;
  /** Of a block without code of its own, whose variables have places all the same, or constants that gdb does not look at. */
  readonly more: number;
}

/** Compares the variables of the innermost function at each place. */
export async function compareLocals(
  symbols: OpenSymbols,
  image: ElfFile,
  places: readonly (Place & { readonly name: string })[],
): Promise<Comparison> {
  const theirs = localsInGdb(vmlinux, places);
  if (theirs.length !== places.length) throw new Error(`gdb answers for ${theirs.length} of ${places.length} places`);
  const differences: string[] = [];
  let [compared, elsewhere, more] = [0, 0, 0];
  for (const [index, place] of places.entries()) {
    const mine = await localsByUs(symbols, image, place);
    for (const [name, said] of theirs[index] ?? []) {
      const own = mine.get(name);
      const isUnwritten = mine.has(name) && own === undefined;
      if (isUnwritten || said.some((each) => each.startsWith('unknown'))) continue;
      // gdb also lists those of which an inlined copy has nothing, and labels.
      if (!mine.has(name) && said.includes('optimized-out')) continue;
      // A pointer to what is in no memory any more is shown by what it points to, and as a number is 0.
      if (own === 'optimized-out' && said.includes('is 0x0')) continue;
      compared++;
      if (!mine.has(name) && said.every((each) => each.startsWith('at '))) elsewhere++;
      else if (/^(at|is) /.test(own ?? '') && said.every((each) => each === 'optimized-out')) more++;
      else if (own === undefined || !said.includes(own))
        differences.push(`${place.name} 0x${place.rip.toString(16)} ${name}: ${own}, not ${said}`);
    }
  }
  return { differences, compared, elsewhere, more };
}
