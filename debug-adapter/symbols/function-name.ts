/**
 * Names of functions as people write them in C++ and Rust, taken apart: `shapes::Box<long>::get(long const*)`. What is
 * left out in front, template arguments and parameters mean any, as gdb has it ("Linespec Locations").
 */

export interface NamePart {
  /** Without template arguments. */
  readonly base: string;
  /** With their brackets; undefined where none are given. */
  readonly templates?: string;
}

export interface FunctionName {
  /** The scopes, outermost first, and the function; at least one. */
  readonly parts: readonly NamePart[];
  /** With their parentheses, without blanks; undefined where none are given. */
  readonly parameters?: string;
}

const closing: Readonly<Record<string, string>> = { '(': ')', '<': '>', '[': ']', '{': '}' };
/** Longer ones are not taken apart. */
const longestName = 4096;
const operatorSymbols = /^operator\s*(?:\(\)|\[\]|[-+*/%^&|~!=<>,]+)/;

/** The function's own name. */
export const lastOf = ({ parts }: FunctionName): NamePart => parts.at(-1) ?? { base: '' };

/** @param isType The name is that of a type in angle brackets, in which no other is looked for. */
export function parseFunctionName(text: string, isType = false): FunctionName {
  const parts: NamePart[] = [];
  let base = '';
  let templates: string | undefined;
  const end = () => {
    const isTyped = !isType && base === '' && templates !== undefined && parts.length === 0;
    if (isTyped) parts.push(...typeOf(templates ?? ''));
    else parts.push({ base: base.trim(), ...(templates === undefined ? {} : { templates: tight(templates) }) });
    [base, templates] = ['', undefined];
  };
  const whole = text.slice(0, longestName).trim();
  for (let at = 0; at < whole.length; ) {
    const letter = whole[at] as string;
    const operator = base === '' ? operatorSymbols.exec(whole.slice(at))?.[0] : undefined;
    const group = letter in closing ? whole.slice(at, endOfGroup(whole, at)) : '';
    if (operator !== undefined) {
      base = tight(operator);
      at += operator.length;
    } else if (whole.startsWith('::', at)) {
      at += 2;
      // Rust writes `align_of::<f64>`.
      if (base !== '' && whole[at] === '<') continue;
      end();
    } else if (letter === '<') {
      templates = group;
      at += group.length;
    } else if (letter === '(' && base !== '') {
      at += group.length;
      // Of a function that this one is in, parameters tell nothing.
      if (whole.startsWith('::', at)) continue;
      end();
      return { parts, parameters: tight(group).replace('(void)', '()') };
    } else {
      base += group || letter;
      at += group.length || 1;
    }
  }
  end();
  return { parts };
}

/** Of a method of a trait, `<shapes::Circle as Area>::area`, the type's name. */
const typeOf = (group: string): readonly NamePart[] =>
  parseFunctionName(group.slice(1, -1).split(' as ')[0] ?? '', true).parts;

/** Whether a function of the name `full` is one that `wanted` means. */
export function means(wanted: FunctionName, full: FunctionName): boolean {
  const skipped = full.parts.length - wanted.parts.length;
  if (skipped < 0) return false;
  if (wanted.parameters !== undefined && wanted.parameters !== full.parameters) return false;
  return wanted.parts.every(({ base, templates }, index) => {
    const other = full.parts[skipped + index];
    return base === other?.base && (templates === undefined || templates === other.templates);
  });
}

/** Behind the bracket that closes the one at `start`, or the end of the text. The arrow of `fn() -> T` is none. */
function endOfGroup(text: string, start: number): number {
  const open: string[] = [];
  for (let at = start; at < text.length; at++) {
    const letter = text[at] as string;
    const close = closing[letter];
    if (close !== undefined) open.push(close);
    else if (letter === open.at(-1) && !(letter === '>' && text[at - 1] === '-')) open.pop();
    if (open.length === 0) return at + 1;
  }
  return text.length;
}

const tight = (text: string): string => text.replaceAll(/\s+/g, '');
