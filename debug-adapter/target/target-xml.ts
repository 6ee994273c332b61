/**
 * Reads a stub's target description (GDB manual, appendix G): which registers there are, how wide, and where they stand
 * in a `g` packet. Only the elements that say so are looked at.
 */
import { type StubRegister, TargetError } from './target.ts';

/** More would be nonsense, and cost memory for nothing. */
const MOST_REGISTERS = 4096;
const MOST_DOCUMENTS = 32;
const WIDEST = 4096;

/** Fetches `target.xml` and all it includes; `fetch` gives one document. Registers come in `regnum` order. */
export async function readTargetDescription(
  fetch: (name: string) => Promise<string>,
): Promise<readonly StubRegister[]> {
  const registers: StubRegister[] = [];
  const seen = new Set<string>();
  const read = async (name: string): Promise<void> => {
    if (seen.has(name)) return;
    seen.add(name);
    if (seen.size > MOST_DOCUMENTS) throw new TargetError('the target description has too many parts');
    const text = (await fetch(name)).replace(/<!--[\s\S]*?-->/g, '');
    for (const [, element, attributes] of text.matchAll(/<(reg|xi:include)\s([^<>]*?)\/?>/g)) {
      const values = new Map(
        [...(attributes ?? '').matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
      );
      if (element === 'reg') registers.push(register(values, registers));
      else await read(values.get('href') ?? '');
      if (registers.length > MOST_REGISTERS) throw new TargetError('the target description has too many registers');
    }
  };
  await read('target.xml');
  return registers.sort((a, b) => a.regnum - b.regnum);
}

function register(
  values: ReadonlyMap<string | undefined, string | undefined>,
  before: readonly StubRegister[],
): StubRegister {
  const bits = Number(values.get('bitsize'));
  const name = values.get('name');
  const regnum = values.has('regnum') ? Number(values.get('regnum')) : (before.at(-1)?.regnum ?? -1) + 1;
  if (!name || !Number.isInteger(regnum) || regnum < 0 || !Number.isInteger(bits) || bits < 1 || bits > WIDEST) {
    throw new TargetError(`the target description has a register that makes no sense: ${name ?? 'without a name'}`);
  }
  return { name: NAMES_64[name] ?? name, bits, regnum, group: values.get('group') ?? 'general' };
}

/** i386 descriptions: one name for a register in all modes, as expressions and frames know it. */
const NAMES_64: Readonly<Record<string, string>> = Object.fromEntries(
  ['ax', 'bx', 'cx', 'dx', 'si', 'di', 'bp', 'sp', 'ip'].map((name) => [`e${name}`, `r${name}`]),
);
