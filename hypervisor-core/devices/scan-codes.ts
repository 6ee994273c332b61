/** What a US keyboard sends (scan code sets 1 and 2) when the keys are hit that a terminal sends as these bytes. */

const SHIFT = 0x2a;
const CONTROL = 0x1d;
const RELEASE = 0x80;
const EXTENDED = 0xe0;

/** Rows of the keyboard from their first scan code on, without and with shift. */
const rows: readonly (readonly [number, string, string])[] = [
  [0x02, '1234567890-=', '!@#$%^&*()_+'],
  [0x10, 'qwertyuiop[]', 'QWERTYUIOP{}'],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
];

interface Key {
  readonly code: number;
  readonly shift?: boolean;
  readonly control?: boolean;
  readonly extended?: boolean;
}

const keys = new Map<string, Key>([
  ['\x1b', { code: 0x01 }],
  ['\x7f', { code: 0x0e }],
  ['\b', { code: 0x0e }],
  ['\t', { code: 0x0f }],
  ['\r', { code: 0x1c }],
  ['\n', { code: 0x1c }],
  [' ', { code: 0x39 }],
]);
for (const [first, plain, shifted] of rows) {
  for (const [index, character] of [...plain].entries()) keys.set(character, { code: first + index });
  for (const [index, character] of [...shifted].entries()) keys.set(character, { code: first + index, shift: true });
}
for (let letter = 1; letter <= 26; letter++) {
  const key = keys.get(String.fromCharCode(0x60 + letter));
  const byte = String.fromCharCode(letter);
  if (key && !keys.has(byte)) keys.set(byte, { ...key, control: true });
}

/** The character that a key makes: the byte of the first that a terminal sends for it. */
export function keyOf(
  code: number,
  { shift, control }: { readonly shift: boolean; readonly control: boolean },
): number | undefined {
  const BACKSPACE = 0x0e;
  if (code === BACKSPACE) return control ? 0x7f : 0x08;
  for (const [byte, key] of keys) {
    const alike = key.code === code && (control ? key.control : !key.control && (key.shift ?? false) === shift);
    if (alike) return byte.charCodeAt(0);
  }
  // Space, Enter and the like are the same with shift.
  return shift ? keyOf(code, { shift: false, control }) : undefined;
}

/** Final bytes of the cursor keys' sequences, ECMA-48 CSI and VT100 SS3. */
const cursorKeys = new Map<string, Key>(
  Object.entries({ A: 0x48, B: 0x50, C: 0x4d, D: 0x4b, H: 0x47, F: 0x4f }).map(([letter, code]) => [
    letter,
    { code, extended: true },
  ]),
);

/** Codes of set 2 for those of set 1, from 0x01 on; the controller's translation backwards. */
const set2 = Uint8Array.from(
  Buffer.from(
    '76161e26252e363d3e46454e55660d151d242d2c353c43444d545b5a141c1b232b34333b424b4c520e125d1a22212a32313a41494a597c1129' +
      '580506040c030b830a0109777e6c757d7b6b737479' +
      '69727a7071',
    'hex',
  ),
);

/** One key's codes of set 1 in set 2: a release is a prefix there and no bit. */
export function toSet2(codes: readonly number[]): number[] {
  const RELEASED = 0xf0;
  return codes.flatMap((code) => {
    const key = set2[(code & ~RELEASE) - 1];
    if (code === EXTENDED || key === undefined) return [code];
    return code & RELEASE ? [RELEASED, key] : [key];
  });
}

/**
 * Scan codes of set 1 for presses and releases, one list a key; bytes that no key makes are left out. An escape sequence must be
 * whole in `bytes`, as terminals send them.
 */
export function scanCodes(bytes: Uint8Array): number[][] {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte));
  const strokes: number[][] = [];
  for (let at = 0; at < text.length; at++) {
    const cursor =
      text[at] === '\x1b' && /[[O]/.test(text[at + 1] ?? '') ? cursorKeys.get(text[at + 2] ?? '') : undefined;
    if (cursor) at += 2;
    const key = cursor ?? keys.get(text[at] ?? '');
    if (key) strokes.push(stroke(key));
  }
  return strokes;
}

function stroke({ code, shift, control, extended }: Key): number[] {
  const held = [...(shift ? [SHIFT] : []), ...(control ? [CONTROL] : [])];
  const prefix = extended ? [EXTENDED] : [];
  const released = held.map((modifier) => modifier | RELEASE).reverse();
  return [...held, ...prefix, code, ...prefix, code | RELEASE, ...released];
}
