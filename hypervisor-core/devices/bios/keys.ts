/** INT 16h, and the keyboard's interrupt that fills the ring of keys which it reads. */
import { keyOf } from '../scan-codes.ts';
import { AH, AL, AX, type BiosCall, CX, FLAG } from './call.ts';
import { BDA, KEYS } from './layout.ts';

const SEGMENT = 0x400;
const [RELEASE, EXTENDED] = [0x80, 0xe0];
/** Bits of the shift flags. */
const SHIFT = { right: 1, left: 2, control: 4, alt: 8, capsLock: 0x40 };
const MODIFIERS = new Map([
  [0x36, SHIFT.right],
  [0x2a, SHIFT.left],
  [0x1d, SHIFT.control],
  [0x38, SHIFT.alt],
]);
const CAPS_LOCK = 0x3a;
const LAST_WAS_EXTENDED = 2;

export function keys(call: BiosCall): void {
  switch (call.byte(AH)) {
    case 0x00:
    case 0x10: {
      const key = head(call);
      call.waits = key === undefined;
      if (key === undefined) return;
      call.store(BDA.keyHead, 2, next(call.load(BDA.keyHead, 2)));
      call.setWord(AX, key);
      break;
    }
    case 0x01:
    case 0x11: {
      const key = head(call);
      call.setFlag(FLAG.zero, key === undefined);
      if (key !== undefined) call.setWord(AX, key);
      break;
    }
    case 0x02:
    case 0x12:
      call.setByte(AL, call.load(BDA.shift, 1));
      break;
    case 0x05:
      call.setByte(AL, push(call, call.word(CX)) ? 0 : 1);
      break;
    default:
  }
}

/** The keyboard's interrupt, with the scan code in AL. */
export function keyboardInterrupt(call: BiosCall): void {
  const code = call.byte(AL);
  const extended = (call.load(BDA.keyFlags, 1) & LAST_WAS_EXTENDED) !== 0;
  call.store(BDA.keyFlags, 1, code === EXTENDED ? LAST_WAS_EXTENDED : 0);
  if (code === EXTENDED) return;
  const shift = call.load(BDA.shift, 1);
  const modifier = MODIFIERS.get(code & ~RELEASE);
  if (modifier !== undefined) call.store(BDA.shift, 1, code & RELEASE ? shift & ~modifier : shift | modifier);
  else if (code === CAPS_LOCK) call.store(BDA.shift, 1, shift ^ SHIFT.capsLock);
  else if (!(code & RELEASE)) push(call, (code << 8) | (extended ? 0 : character(code, shift)));
}

function character(code: number, shift: number): number {
  if (shift & SHIFT.alt) return 0;
  const shifted = (shift & (SHIFT.left | SHIFT.right)) !== 0;
  const plain = keyOf(code, { shift: false, control: false }) ?? 0;
  const isLetter = plain >= 0x61 && plain <= 0x7a;
  const upper = isLetter && shift & SHIFT.capsLock ? !shifted : shifted;
  return keyOf(code, { shift: upper, control: (shift & SHIFT.control) !== 0 }) ?? 0;
}

/** Whatever the guest has made of the pointers, they stay in the ring. */
const inRing = (offset: number) => (offset >= KEYS.start && offset < KEYS.end ? offset & ~1 : KEYS.start);
const next = (offset: number) => inRing(inRing(offset) + 2);

function head(call: BiosCall): number | undefined {
  const at = inRing(call.load(BDA.keyHead, 2));
  return at === inRing(call.load(BDA.keyTail, 2)) ? undefined : call.load(SEGMENT + at, 2);
}

/** False when the ring is full. */
function push(call: BiosCall, key: number): boolean {
  const tail = inRing(call.load(BDA.keyTail, 2));
  if (next(tail) === inRing(call.load(BDA.keyHead, 2))) return false;
  call.store(SEGMENT + tail, 2, key);
  call.store(BDA.keyTail, 2, next(tail));
  return true;
}
