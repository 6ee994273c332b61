/** The keyboard's side of its line: what it answers to commands (PS/2 Technical Reference, keyboard, commands). */

const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const TEST_PASSED = 0xaa;

const SET_INDICATORS = 0xed;
const ECHO = 0xee;
const SCAN_CODE_SET = 0xf0;
const READ_ID = 0xf2;
const SET_TYPEMATIC = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULTS = 0xf6;
const RESET = 0xff;

/** Parameter of {@link SCAN_CODE_SET} that asks for the set in use. */
const WHICH_SET = 0;

/** What the keyboard needs of the controller at the other end. */
export interface KeyboardLink {
  /** Command whose parameter comes next; 0 when none. Kept in the shared state. */
  keyboardExpects: number;
  /** Whether the controller translates set 2, which the keyboard speaks, to set 1. */
  readonly translated: boolean;
  scan(on: boolean): void;
  reply(bytes: readonly number[]): void;
}

/** Takes one byte that the host sent to the keyboard. */
export function keyboardCommand(link: KeyboardLink, value: number): void {
  const pending = link.keyboardExpects;
  link.keyboardExpects = 0;
  if (pending !== 0) {
    const set = link.translated ? 0x41 : 0x02;
    link.reply(pending === SCAN_CODE_SET && value === WHICH_SET ? [ACKNOWLEDGE, set] : [ACKNOWLEDGE]);
    return;
  }
  switch (value) {
    case ECHO:
      link.reply([ECHO]);
      break;
    case READ_ID:
      link.reply([ACKNOWLEDGE, 0xab, link.translated ? 0x41 : 0x83]);
      break;
    case SET_INDICATORS:
    case SCAN_CODE_SET:
    case SET_TYPEMATIC:
      link.keyboardExpects = value;
      link.reply([ACKNOWLEDGE]);
      break;
    case DISABLE:
      link.scan(false);
      link.reply([ACKNOWLEDGE]);
      break;
    case ENABLE:
    case SET_DEFAULTS:
      link.scan(true);
      link.reply([ACKNOWLEDGE]);
      break;
    case RESET:
      link.scan(true);
      link.reply([ACKNOWLEDGE, TEST_PASSED]);
      break;
    default:
      link.reply([RESEND]);
  }
}
