/** Call frame instructions: the rules in force at one address. DWARF 5, 6.4.2. */
import { Cursor } from './bytes.ts';
import type { Fde } from './cfi.ts';

type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly program: Uint8Array };

export type RegisterRule =
  | { readonly kind: 'undefined' | 'same' }
  /** Saved at, or being, the CFA plus an offset. */
  | { readonly kind: 'offset' | 'value-offset'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  /** Saved at, or being, what the program computes. */
  | { readonly kind: 'expression' | 'value-expression'; readonly program: Uint8Array };

export interface FrameRules {
  readonly cfa: CfaRule | undefined;
  readonly registers: ReadonlyMap<number, RegisterRule>;
}

/** A deeper stack of remembered states is damage. */
const maximumRemembered = 64;
const maximumRegister = 1024;

interface State {
  cfa: CfaRule | undefined;
  registers: Map<number, RegisterRule>;
}

/** Runs the entry's instructions up to `distance`. */
export function rulesAt(fde: Fde, distance: number, toDistance: (address: bigint) => number): FrameRules {
  const state: State = { cfa: undefined, registers: new Map() };
  const { instructions } = fde.cie;
  run(
    fde,
    new Cursor(instructions.bytes, instructions.at, instructions.where, instructions.end),
    state,
    undefined,
    Number.POSITIVE_INFINITY,
    toDistance,
  );
  const initial = new Map(state.registers);
  run(fde, fde.instructions(), state, initial, distance, toDistance);
  return state;
}

function run(
  fde: Fde,
  cursor: Cursor,
  state: State,
  initial: ReadonlyMap<number, RegisterRule> | undefined,
  target: number,
  toDistance: (address: bigint) => number,
): void {
  const { codeAlignment, dataAlignment, addressSize } = fde.cie;
  const remembered: State[] = [];
  let location = fde.low;
  const register = () => checked(cursor, cursor.uleb());
  const set = (number: number, rule: RegisterRule) => state.registers.set(number, rule);
  const restore = (number: number) => {
    const rule = initial?.get(number);
    // The cold part of a function begins with registers saved already, and Debian 11's assembler (binutils 2.35) has made
    // that the rules of a CIE: what such a part restores is in the register again, and its place is free. No function
    // begins with saved registers otherwise.
    const isPopped = rule?.kind === 'offset' && number !== fde.cie.returnRegister;
    if (rule && !isPopped) set(number, rule);
    else state.registers.delete(number);
  };
  const moveCfa = (change: (rule: { register: number; offset: number }) => { register: number; offset: number }) => {
    if (state.cfa?.kind !== 'register') cursor.fail('changes a frame address that is not a register and an offset');
    else state.cfa = { kind: 'register', ...change(state.cfa) };
  };
  const block = () => cursor.block(cursor.uleb());
  while (cursor.left > 0) {
    const opcode = cursor.u8();
    const low = opcode & 0x3f;
    switch (opcode >> 6) {
      case 1:
        location += low * codeAlignment;
        if (location > target) return;
        continue;
      case 2:
        set(low, { kind: 'offset', offset: cursor.uleb() * dataAlignment });
        continue;
      case 3:
        restore(low);
        continue;
    }
    switch (opcode) {
      case 0x00: // DW_CFA_nop
        break;
      case 0x01: // DW_CFA_set_loc
        location = toDistance(cursor.unsigned(addressSize));
        break;
      case 0x02: // DW_CFA_advance_loc1
        location += cursor.u8() * codeAlignment;
        break;
      case 0x03:
        location += cursor.u16() * codeAlignment;
        break;
      case 0x04:
        location += cursor.u32() * codeAlignment;
        break;
      case 0x05: // DW_CFA_offset_extended
        set(register(), { kind: 'offset', offset: cursor.uleb() * dataAlignment });
        break;
      case 0x06: // DW_CFA_restore_extended
        restore(register());
        break;
      case 0x07:
        set(register(), { kind: 'undefined' });
        break;
      case 0x08:
        set(register(), { kind: 'same' });
        break;
      case 0x09:
        set(register(), { kind: 'register', register: register() });
        break;
      case 0x0a: // DW_CFA_remember_state
        if (remembered.length >= maximumRemembered) cursor.fail('remembers too many states');
        remembered.push({ cfa: state.cfa, registers: new Map(state.registers) });
        break;
      case 0x0b: {
        const saved = remembered.pop();
        if (!saved) throw cursor.error('restores a state that was not remembered');
        Object.assign(state, saved);
        break;
      }
      case 0x0c: // DW_CFA_def_cfa
        state.cfa = { kind: 'register', register: register(), offset: cursor.uleb() };
        break;
      case 0x0d: {
        const number = register();
        moveCfa((rule) => ({ ...rule, register: number }));
        break;
      }
      case 0x0e: {
        const offset = cursor.uleb();
        moveCfa((rule) => ({ ...rule, offset }));
        break;
      }
      case 0x0f: // DW_CFA_def_cfa_expression
        state.cfa = { kind: 'expression', program: block() };
        break;
      case 0x10:
        set(register(), { kind: 'expression', program: block() });
        break;
      case 0x11: // DW_CFA_offset_extended_sf
        set(register(), { kind: 'offset', offset: cursor.sleb() * dataAlignment });
        break;
      case 0x12: // DW_CFA_def_cfa_sf
        state.cfa = { kind: 'register', register: register(), offset: cursor.sleb() * dataAlignment };
        break;
      case 0x13: {
        const offset = cursor.sleb() * dataAlignment;
        moveCfa((rule) => ({ ...rule, offset }));
        break;
      }
      case 0x14: // DW_CFA_val_offset
        set(register(), { kind: 'value-offset', offset: cursor.uleb() * dataAlignment });
        break;
      case 0x15:
        set(register(), { kind: 'value-offset', offset: cursor.sleb() * dataAlignment });
        break;
      case 0x16: // DW_CFA_val_expression
        set(register(), { kind: 'value-expression', program: block() });
        break;
      case 0x2e: // DW_CFA_GNU_args_size
        cursor.uleb();
        break;
      case 0x2f: // DW_CFA_GNU_negative_offset_extended
        set(register(), { kind: 'offset', offset: -cursor.uleb() * dataAlignment });
        break;
      default:
        cursor.fail(`call frame instruction 0x${opcode.toString(16)} is not known`);
    }
    if (location > target) return;
  }
}

function checked(cursor: Cursor, register: number): number {
  return register <= maximumRegister ? register : cursor.fail(`register ${register} does not exist`);
}
