/**
 * INT 10h: text on an 80 x 25 screen. What is written goes to the text memory at B800h, where programs can read it, and to the
 * console, as the escape sequences of a terminal (ECMA-48). Colours stay in the text memory.
 */
import { AH, AL, AX, BH, type BiosCall, BL, BP, BX, CH, CL, CX, DH, DL, DX } from './call.ts';
import { BDA, TEXT } from './layout.ts';

const [BELL, BACKSPACE, LINE_FEED, RETURN] = [0x07, 0x08, 0x0a, 0x0d];
const CLEAR = '\x1b[2J';
const TEXT_MODES: ReadonlySet<number> = new Set([0, 1, 2, 3, 7]);
/** What PC BIOSes give back of them in AL. */
const MODE_IS_SET = 0x30;
const { columns, rows } = TEXT;
const ROW_BYTES = 2 * columns;

interface Place {
  readonly column: number;
  readonly row: number;
}

export function video(call: BiosCall): void {
  switch (call.byte(AH)) {
    case 0x00:
      setMode(call);
      break;
    case 0x01:
      call.store(BDA.cursorShape, 2, call.word(CX));
      break;
    case 0x02:
      moveTo(call, { column: call.byte(DL), row: call.byte(DH) });
      break;
    case 0x03:
      call.setWord(CX, call.load(BDA.cursorShape, 2));
      call.setWord(DX, call.load(BDA.cursors, 2));
      break;
    case 0x06:
    case 0x07:
      scrollWindow(call, call.byte(AH) === 0x06);
      break;
    case 0x08:
      call.setWord(AX, call.load(addressOf(cursor(call)), 2));
      break;
    case 0x09:
    case 0x0a:
      repeat(call, call.byte(AH) === 0x09 ? call.byte(BL) : undefined);
      break;
    case 0x0e:
      teletype(call, call.byte(AL));
      break;
    case 0x0f:
      call.setByte(AL, call.load(BDA.videoMode, 1));
      call.setByte(AH, call.load(BDA.columns, 1));
      call.setByte(BH, call.load(BDA.page, 1));
      break;
    case 0x12:
      // Colour, 256 KiB.
      if (call.byte(BL) === 0x10) call.setWord(BX, 0x0003);
      break;
    case 0x13:
      writeString(call);
      break;
    case 0x1a:
      if (call.byte(AL) !== 0) break;
      call.setByte(AL, 0x1a);
      call.setWord(BX, 0x0008);
      break;
    default:
  }
}

/** Text modes are the one that there is; others are not set, and AH=0Fh says so. */
function setMode(call: BiosCall): void {
  const mode = call.byte(AL) & 0x7f;
  if (!TEXT_MODES.has(mode)) return;
  call.store(BDA.videoMode, 1, mode);
  fill(call, 0, rows - 1, 0, columns - 1, TEXT.plain);
  print(call, CLEAR);
  moveTo(call, { column: 0, row: 0 });
  call.setByte(AL, MODE_IS_SET);
}

const addressOf = ({ column, row }: Place) => TEXT.gpa + row * ROW_BYTES + 2 * column;

/** On the screen whatever the guest has put into the data area. */
function cursor(call: BiosCall): Place {
  const column = Math.min(call.load(BDA.cursors, 1), columns - 1);
  return { column, row: Math.min(call.load(BDA.cursors + 1, 1), rows - 1) };
}

const keepCursor = (call: BiosCall, { column, row }: Place) => call.store(BDA.cursors, 2, column | (row << 8));

function print(call: BiosCall, text: string): void {
  for (const byte of Buffer.from(text, 'latin1')) call.host.transmit(byte);
}

function moveTo(call: BiosCall, place: Place): void {
  keepCursor(call, place);
  print(call, `\x1b[${place.row + 1};${place.column + 1}H`);
}

function teletype(call: BiosCall, character: number, attribute?: number): void {
  const { column, row } = cursor(call);
  call.host.transmit(character);
  if (character === BELL) return;
  if (character === RETURN) keepCursor(call, { column: 0, row });
  else if (character === BACKSPACE) keepCursor(call, { column: Math.max(0, column - 1), row });
  else if (character === LINE_FEED) nextRow(call, { column, row });
  else {
    put(call, { column, row }, character, attribute);
    if (column < columns - 1) keepCursor(call, { column: column + 1, row });
    else {
      print(call, '\r\n');
      nextRow(call, { column: 0, row });
    }
  }
}

function nextRow(call: BiosCall, { column, row }: Place): void {
  if (row === rows - 1) scroll(call, 1, { top: 0, bottom: rows - 1, left: 0, right: columns - 1 }, TEXT.plain);
  keepCursor(call, { column, row: Math.min(row + 1, rows - 1) });
}

/** Without an attribute the one that is there stays. */
function put(call: BiosCall, place: Place, character: number, attribute?: number): void {
  call.store(addressOf(place), 1, character);
  if (attribute !== undefined) call.store(addressOf(place) + 1, 1, attribute);
}

function fill(call: BiosCall, top: number, bottom: number, left: number, right: number, attribute: number): void {
  const blank = Uint8Array.from({ length: 2 * Math.max(0, right - left + 1) }, (_, at) => (at % 2 ? attribute : 0x20));
  for (let row = top; row <= bottom; row++) call.host.memory.write(addressOf({ column: left, row }), blank);
}

interface Window {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Moves rows of the text memory, up for a positive number of lines. */
function scroll(call: BiosCall, lines: number, { top, bottom, left, right }: Window, attribute: number): void {
  const { memory } = call.host;
  const height = bottom - top + 1;
  const order = Array.from({ length: Math.max(0, height - Math.abs(lines)) }, (_, at) => at);
  for (const at of order) {
    const to = lines > 0 ? top + at : bottom - at;
    const bytes = memory.read(addressOf({ column: left, row: to + lines }), 2 * (right - left + 1));
    memory.write(addressOf({ column: left, row: to }), bytes);
  }
  if (lines > 0) fill(call, Math.max(top, bottom - lines + 1), bottom, left, right, attribute);
  else fill(call, top, Math.min(bottom, top - lines - 1), left, right, attribute);
}

/** The terminal scrolls whole rows only: a narrower window is written anew. */
function scrollWindow(call: BiosCall, up: boolean): void {
  const window: Window = {
    ...{ top: call.byte(CH), left: call.byte(CL) },
    ...{ bottom: Math.min(call.byte(DH), rows - 1), right: Math.min(call.byte(DL), columns - 1) },
  };
  if (window.top > window.bottom || window.left > window.right) return;
  const height = window.bottom - window.top + 1;
  const lines = Math.min(call.byte(AL) || height, height);
  scroll(call, up ? lines : -lines, window, call.byte(BH));
  redraw(call, window);
}

function redraw(call: BiosCall, { top, bottom, left, right }: Window): void {
  for (let row = top; row <= bottom; row++) {
    print(call, `\x1b[${row + 1};${left + 1}H`);
    const bytes = call.host.memory.read(addressOf({ column: left, row }), 2 * (right - left + 1));
    for (let at = 0; at < bytes.length; at += 2) call.host.transmit(bytes[at] || 0x20);
  }
  moveTo(call, cursor(call));
}

/** Writes a character CX times from the cursor on, which stays where it is. */
function repeat(call: BiosCall, attribute: number | undefined): void {
  const start = cursor(call);
  const first = start.row * columns + start.column;
  const count = Math.min(call.word(CX), columns * rows - first);
  for (let at = first; at < first + count; at++) {
    put(call, { column: at % columns, row: Math.floor(at / columns) }, call.byte(AL), attribute);
    call.host.transmit(call.byte(AL));
  }
  moveTo(call, start);
}

/** ES:BP, CX characters, at DX; bit 0 of AL: the cursor goes along, bit 1: each is followed by its attribute. */
function writeString(call: BiosCall): void {
  const start = cursor(call);
  const flags = call.byte(AL);
  const step = flags & 2 ? 2 : 1;
  const text = call.host.memory.read(call.es + call.word(BP), call.word(CX) * step);
  moveTo(call, { column: call.byte(DL), row: call.byte(DH) });
  for (let at = 0; at + step <= text.length; at += step) {
    teletype(call, text[at] ?? 0, step === 2 ? text[at + 1] : call.byte(BL));
  }
  if (!(flags & 1)) moveTo(call, start);
}
