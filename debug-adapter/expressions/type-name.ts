/** Types as C writes them: `struct task *[4]`, `int (*)(void *, size_t)`. */
import type { Type } from '../symbols/api.ts';

/** A type graph from a hostile image may be cyclic or grow exponentially; no readable name visits more types. */
const MAX_VISITS = 200;

export function typeName(type: Type): string {
  let visits = 0;

  /** C declares from the inside out: `inner` is what stands around the missing name so far. */
  const declare = (type: Type, inner: string): string => {
    if (++visits > MAX_VISITS) return '...';
    switch (type.kind) {
      case 'void':
        return join('void', inner);
      case 'base':
        return join(canonicalName(type.name), inner);
      case 'typedef':
        return join(type.name, inner);
      case 'struct':
      case 'union':
      case 'class':
      case 'enum':
        return join(`${type.kind} ${type.name ?? '{...}'}`, inner);
      case 'pointer':
        return pointer(type.target, `${type.reference ? '&' : '*'}${inner}`);
      case 'array':
        return declare(type.element, `${inner}[${type.count ?? ''}]`);
      case 'function':
        return declare(type.returns, `${inner}(${parameters(type.parameters, type.variadic)})`);
      default: {
        const word = type.kind === 'atomic' ? '_Atomic' : type.kind;
        if (type.target.kind !== 'pointer') return `${word} ${declare(type.target, inner)}`;
        return pointer(type.target.target, `* ${join(word, inner)}`);
      }
    }
  };
  const pointer = (target: Type, inner: string) =>
    declare(target, target.kind === 'array' || target.kind === 'function' ? `(${inner})` : inner);
  const parameters = (types: readonly Type[], variadic: boolean) => {
    const names = types.map((parameter) => declare(parameter, ''));
    if (variadic) names.push('...');
    return names.join(', ') || 'void';
  };
  return declare(type, '');
}

const join = (name: string, inner: string) => (inner === '' ? name : `${name} ${inner}`);

/** The way people write an integer type; compilers record `long unsigned int` for `unsigned long`. */
function canonicalName(name: string): string {
  const words = name.split(' ');
  if (words.length < 2 || !/\b(long|short)\b/.test(name)) return name;
  const kept = words.filter((word) => word !== 'int' && word !== 'unsigned' && word !== 'signed');
  return words.includes('unsigned') ? `unsigned ${kept.join(' ')}` : kept.join(' ');
}
