/** The formatting of C's printf, as far as integers, characters and strings go: what gdb's `dprintf` sends. */
import { AgentError } from './program.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** Widths come from the other end of the socket. */
const MAX_WIDTH = 1024;
const directive = /%([-+ #0]*)(\d*)(?:\.(\d*))?(hh|h|ll|l|j|z|t)?([diuxXocsp%])|%|[^%]+/g;
const bitsOf: Readonly<Record<string, number>> = { hh: 8, h: 16, l: 64, ll: 64, j: 64, z: 64, t: 64 };

/**
 * Fills `values` into `format`, whose escapes are written out as in C source. `text` reads the string at an address.
 * Throws {@link AgentError} for directives that there are no values for, or that are none.
 */
export function formatText(format: string, values: readonly bigint[], text: (gva: bigint) => string): string {
  let used = 0;
  const next = (): bigint => {
    const value = values[used++];
    if (value === undefined) throw new AgentError('prints more values than it has');
    return value;
  };
  return withoutEscapes(format).replaceAll(
    directive,
    (whole, flags = '', width = '', precision: string | undefined = undefined, size = '', conversion = '') => {
      if (whole[0] !== '%') return whole;
      if (conversion === '') throw new AgentError(`has a format that is not understood: ${format.slice(0, 60)}`);
      if (conversion === '%') return '%';
      const digits = Number(precision ?? -1);
      const body = convert(conversion, next(), { flags, bits: bitsOf[size] ?? 32, digits, text });
      const zeros =
        flags.includes('0') && !flags.includes('-') && precision === undefined && !'cs'.includes(conversion);
      return pad(body, Math.min(Number(width), MAX_WIDTH), flags.includes('-'), zeros);
    },
  );
}

interface Shape {
  readonly flags: string;
  readonly bits: number;
  /** The precision; -1 when there is none. */
  readonly digits: number;
  readonly text: (gva: bigint) => string;
}

function convert(conversion: string, value: bigint, { flags, bits, digits, text }: Shape): string {
  if (conversion === 's') return text(value).slice(0, digits < 0 ? undefined : digits);
  if (conversion === 'c') return String.fromCharCode(Number(value & 0xffn));
  if (conversion === 'p') return `0x${value.toString(16)}`;
  const isSigned = conversion === 'd' || conversion === 'i';
  const number = isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const radix = { x: 16, X: 16, o: 8 }[conversion] ?? 10;
  const body = (number < 0n ? -number : number).toString(radix).padStart(Math.min(digits, MAX_WIDTH), '0');
  const sign = number < 0n ? '-' : isSigned ? (/[+ ]/.exec(flags)?.[0] ?? '') : '';
  const prefix = flags.includes('#') && number !== 0n ? ({ x: '0x', X: '0x', o: '0' }[conversion] ?? '') : '';
  const whole = `${sign}${prefix}${body}`;
  return conversion === 'X' ? whole.toUpperCase() : whole;
}

/** Zeros go between the sign or prefix and the digits. */
function pad(body: string, width: number, left: boolean, zeros: boolean): string {
  if (left) return body.padEnd(width);
  if (!zeros) return body.padStart(width);
  const [head = ''] = /^[-+ ]?(0[xX])?/.exec(body) ?? [];
  return head + body.slice(head.length).padStart(width - head.length, '0');
}

/** Octal and hexadecimal escapes name a byte. */
function withoutEscapes(text: string): string {
  return text.replaceAll(/\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)/gs, (_, letters: string) => {
    if (/^[0-7]/.test(letters)) return String.fromCharCode(Number.parseInt(letters, 8) & 0xff);
    if (/^x./.test(letters)) return String.fromCharCode(Number.parseInt(letters.slice(1), 16));
    return ESCAPES[letters] ?? letters;
  });
}
