/** The kernel's format strings with their arguments: lib/vsprintf.c, Documentation/core-api/printk-formats.rst. */
import type { Kernel } from './kernel.ts';
import { LinuxError } from './linux-error.ts';

const LONGEST_TEXT = 1024;
/** A format may hold another by %pV; a message of the kernel's nests once. */
const MOST_NESTING = 2;

/** Gives the next argument's word at each call. */
export type NextArgument = () => Promise<bigint>;

const REGISTERS = 6;
/** Bytes of general registers in a save area, System V ABI 3.5.7. */
const SAVED = BigInt(8 * REGISTERS);

/** The arguments of a variadic function at its first instruction, after the `named` ones: System V ABI 3.2.3. */
export function argumentsAtEntry(kernel: Kernel, registers: ReadonlyMap<string, bigint>, named: number): NextArgument {
  const inRegisters = ['rdi', 'rsi', 'rdx', 'rcx', 'r8', 'r9'].slice(named).map((name) => registers.get(name) ?? 0n);
  // The return address lies below them.
  let stack = (registers.get('rsp') ?? 0n) + 8n;
  return () => {
    const known = inRegisters.shift();
    if (known !== undefined) return Promise.resolve(known);
    stack += 8n;
    return kernel.word(stack - 8n);
  };
}

/** Those of a `va_list` at a guest-virtual address. */
export async function argumentsOf(kernel: Kernel, list: bigint): Promise<NextArgument> {
  const offsets = await kernel.word(list);
  let general = offsets & 0xffff_ffffn;
  let overflow = await kernel.word(list + 8n);
  const saved = await kernel.word(list + 16n);
  return () => {
    const at = general < SAVED ? saved + general : overflow;
    if (general < SAVED) general += 8n;
    else overflow += 8n;
    return kernel.word(at);
  };
}

/** A C string of the guest, cut off after 1024 bytes. */
export async function textAt(kernel: Kernel, address: bigint): Promise<string> {
  const bytes = await kernel.available(address, LONGEST_TEXT);
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString('utf8');
}

/** What printk makes of them, as far as that is numbers, texts and symbols; a `%` that is none of these stays as it is. */
export async function formatted(kernel: Kernel, format: string, next: NextArgument, nesting = 0): Promise<string> {
  const parts = format.split(/(%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?(?:hh|h|ll|l|z|t|j)?(?:p[A-Za-z]*|[diuxXocs%]))/);
  let text = '';
  for (const part of parts) {
    text += part.startsWith('%') ? await conversion(kernel, part, next, nesting) : part;
    if (text.length > LONGEST_TEXT) return text.slice(0, LONGEST_TEXT);
  }
  return text;
}

async function conversion(kernel: Kernel, written: string, next: NextArgument, nesting: number): Promise<string> {
  const match = /^%([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(hh|h|ll|l|z|t|j)?(p[A-Za-z]*|[diuxXocs%])$/.exec(written);
  const [, flags = '', width = '', precision, length = '', kind = ''] = match ?? [];
  if (!match) return written;
  if (kind === '%') return '%';
  const number = async (given: string) => (given === '*' ? Number(BigInt.asIntN(32, await next())) : Number(given));
  const least = Math.min(await number(width), LONGEST_TEXT);
  const most = precision === undefined ? undefined : await number(precision);
  const value = await next();
  if (kind.startsWith('p')) return pointer(kernel, kind, value, nesting);
  if (kind === 's') return padded((await textAt(kernel, value)).slice(0, most), flags.replace('0', ''), least);
  if (kind === 'c') return padded(String.fromCharCode(Number(value & 0xffn)), flags.replace('0', ''), least);
  const digits = numeral(value, kind, bitsOf(length), flags).padStart(most ?? 0, '0');
  return padded(digits, flags, least);
}

const bitsOf = (length: string) => ({ hh: 8, h: 16, '': 32 })[length] ?? 64;

function numeral(value: bigint, kind: string, bits: number, flags: string): string {
  if (kind === 'd' || kind === 'i') {
    const signed = BigInt.asIntN(bits, value);
    return flags.includes('+') && signed >= 0n ? `+${signed}` : String(signed);
  }
  const unsigned = BigInt.asUintN(bits, value);
  if (kind === 'u') return String(unsigned);
  if (kind === 'o') return unsigned.toString(8);
  const digits = `${flags.includes('#') ? '0x' : ''}${unsigned.toString(16)}`;
  return kind === 'X' ? digits.toUpperCase() : digits;
}

function padded(text: string, flags: string, width: number): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0')) return text.padStart(width);
  const [, sign = '', digits = ''] = /^([+-]|0[xX])?(.*)$/s.exec(text) ?? [];
  return sign + digits.padStart(width - sign.length, '0');
}

/** Symbols by name, formats in formats; of all else the address, which the kernel itself would hide. */
async function pointer(kernel: Kernel, kind: string, value: bigint, nesting: number): Promise<string> {
  if (/^p[SsBFf]/.test(kind)) return kernel.nameOf(value);
  if (kind !== 'pV') return `0x${value.toString(16)}`;
  if (nesting >= MOST_NESTING) throw new LinuxError('The format nests too deep.');
  // struct va_format, include/linux/printk.h: the format and a pointer to its arguments.
  const format = await textAt(kernel, await kernel.word(value));
  return formatted(kernel, format, await argumentsOf(kernel, await kernel.word(value + 8n)), nesting + 1);
}
