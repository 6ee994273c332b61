/** Evaluates DWARF expressions and location descriptions. DWARF 5, 2.5 and 2.6; GNU's operations where gcc emits them. */
import type { Place, ReadMemory } from './api.ts';
import { Cursor } from './bytes.ts';
import { ExpressionStack, type StackType } from './expression-stack.ts';

/** What an expression may ask of the frame and unit that it belongs to. */
export interface ExpressionContext {
  readonly addressSize: number;
  readonly offsetSize: number;
  readonly read: ReadMemory;
  /** Undefined for a register whose value is not known in this frame. */
  register(number: number): bigint | undefined;
  registerName(number: number): string | undefined;
  frameBase(): Promise<bigint>;
  callFrameAddress(): Promise<bigint>;
  /** The value on entry to the function of an expression, or of a parameter by its entry's offset from the unit's start. */
  entryValue(of: Uint8Array | number): Promise<bigint>;
  indexedAddress(index: number): bigint;
  /** An address in the file as it is in the guest. */
  imageAddress(address: bigint): bigint;
  /** An integer base type of the unit, by its offset from the unit's start; undefined for other types. */
  baseType(offset: number): StackType | undefined;
  /** The expression of DW_AT_location, or of an entry that an expression calls. */
  procedure(offset: number, inUnit: boolean): Uint8Array | undefined;
}

/** The value is not to be had: optimised out, or in a register or memory that is not known. */
export class Unavailable extends Error {}

const maximumSteps = 10_000;
const maximumCalls = 16;

/** Where the object described by `program` is. Throws {@link Unavailable}, or `SymbolFileError` for a bad program. */
export async function evaluateLocation(program: Uint8Array, context: ExpressionContext): Promise<Place> {
  if (program.length === 0) return { kind: 'optimized-out' };
  const run = new Run(context);
  await run.execute(program, 0);
  return run.place();
}

/** The number that `program` computes with `initial` on its stack, e.g. the CFA of a register rule. */
export async function evaluateNumber(
  program: Uint8Array,
  context: ExpressionContext,
  initial: readonly bigint[] = [],
): Promise<bigint> {
  const run = new Run(context);
  for (const value of initial) run.stack.push(value);
  await run.execute(program, 0);
  return run.number();
}

class Run {
  readonly stack: ExpressionStack;
  private steps = 0;
  private place_: Place | undefined;
  private readonly pieces: { place: Place; size: number }[] = [];

  constructor(private readonly context: ExpressionContext) {
    this.stack = new ExpressionStack(context.addressSize);
  }

  place(): Place {
    return this.pieces.length > 0 ? { kind: 'pieces', pieces: this.pieces } : this.current();
  }

  /** A register location stands for the register's value here. */
  number(): bigint {
    if (this.place_?.kind === 'value')
      return this.place_.bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    if (this.stack.depth === 0) throw new Unavailable('its location gives no value');
    return this.stack.popNumber();
  }

  private current(): Place {
    if (this.place_) return this.place_;
    if (this.stack.depth === 0) return { kind: 'optimized-out' };
    return { kind: 'memory', address: this.stack.popNumber() };
  }

  async execute(program: Uint8Array, calls: number): Promise<void> {
    if (calls > maximumCalls) throw new RangeError('location expressions call each other too deeply');
    const cursor = new Cursor(program, 0, 'location expression');
    while (cursor.left > 0) {
      if (++this.steps > maximumSteps) cursor.fail('the expression runs too long');
      const opcode = cursor.u8();
      try {
        await this.step(opcode, cursor, calls);
      } catch (error) {
        if (error instanceof RangeError) cursor.fail(error.message);
        throw error;
      }
    }
  }

  private async step(opcode: number, cursor: Cursor, calls: number): Promise<void> {
    const { stack, context } = this;
    if (opcode >= 0x30 && opcode <= 0x4f) return stack.push(BigInt(opcode - 0x30));
    if (opcode >= 0x50 && opcode <= 0x6f) return this.inRegister(opcode - 0x50);
    if (opcode >= 0x70 && opcode <= 0x8f) return stack.push(this.known(opcode - 0x70) + cursor.slebBig());
    if (stack.binary(opcode)) return;
    switch (opcode) {
      case 0x03: // DW_OP_addr
        return stack.push(context.imageAddress(cursor.unsigned(context.addressSize)));
      case 0x06:
        return stack.push(await this.load(stack.popNumber(), context.addressSize));
      case 0x08: // DW_OP_const1u and on
        return stack.push(cursor.unsigned(1));
      case 0x09:
        return stack.push(cursor.signed(1));
      case 0x0a:
        return stack.push(cursor.unsigned(2));
      case 0x0b:
        return stack.push(cursor.signed(2));
      case 0x0c:
        return stack.push(cursor.unsigned(4));
      case 0x0d:
        return stack.push(cursor.signed(4));
      case 0x0e:
        return stack.push(cursor.unsigned(8));
      case 0x0f:
        return stack.push(cursor.signed(8));
      case 0x10:
        return stack.push(cursor.ulebBig());
      case 0x11:
        return stack.push(cursor.slebBig());
      case 0x12: // DW_OP_dup
        return stack.again(stack.peek(0));
      case 0x13: // DW_OP_drop
        stack.pop();
        return;
      case 0x14: // DW_OP_over
        return stack.again(stack.peek(1));
      case 0x15: // DW_OP_pick
        return stack.again(stack.peek(cursor.u8()));
      case 0x16:
        return stack.swap();
      case 0x17:
        return stack.rotate();
      case 0x19: {
        // DW_OP_abs
        const value = stack.pop();
        const number = stack.signed(value);
        return stack.push(number < 0n ? -number : number, value.type);
      }
      case 0x1f: {
        // DW_OP_neg
        const value = stack.pop();
        return stack.push(-value.bits, value.type);
      }
      case 0x20: {
        // DW_OP_not
        const value = stack.pop();
        return stack.push(~value.bits, value.type);
      }
      case 0x23: {
        // DW_OP_plus_uconst
        const value = stack.pop();
        return stack.push(value.bits + cursor.ulebBig(), value.type);
      }
      case 0x28: // DW_OP_bra
      case 0x2f: {
        // DW_OP_skip
        const offset = Number(cursor.signed(2));
        const target = cursor.at + offset;
        if (target < 0 || target > cursor.end) cursor.fail('branch out of the expression');
        if (opcode === 0x2f || stack.popNumber() !== 0n) cursor.at = target;
        return;
      }
      case 0x90: // DW_OP_regx
        return this.inRegister(cursor.uleb());
      case 0x91:
        return stack.push((await context.frameBase()) + cursor.slebBig());
      case 0x92: // DW_OP_bregx
        return stack.push(this.known(cursor.uleb()) + cursor.slebBig());
      case 0x93:
        return this.piece(cursor.uleb());
      case 0x94: {
        // DW_OP_deref_size
        const size = cursor.u8();
        return stack.push(await this.load(stack.popNumber(), size));
      }
      case 0x96: // DW_OP_nop
        return;
      case 0x98:
      case 0x99:
      case 0x9a: {
        // DW_OP_call2, call4, call_ref
        const offset = opcode === 0x98 ? cursor.u16() : cursor.word(opcode === 0x9a ? context.offsetSize : 4);
        const program = context.procedure(offset, opcode !== 0x9a);
        return program && this.execute(program, calls + 1);
      }
      case 0x9c: // DW_OP_call_frame_cfa
        return stack.push(await context.callFrameAddress());
      case 0x9d: {
        // DW_OP_bit_piece
        const bits = cursor.uleb();
        if (bits % 8 !== 0 || cursor.uleb() !== 0) throw new Unavailable('a part of it is in single bits');
        return this.piece(bits / 8);
      }
      case 0x9e: // DW_OP_implicit_value
        this.place_ = { kind: 'value', bytes: cursor.block(cursor.uleb()) };
        return;
      case 0x9f: // DW_OP_stack_value
        this.place_ = { kind: 'value', bytes: stack.toBytes(stack.pop()) };
        return;
      case 0xa1: // DW_OP_addrx
      case 0xfb:
        return stack.push(context.imageAddress(context.indexedAddress(cursor.uleb())));
      case 0xa2: // DW_OP_constx
      case 0xfc:
        return stack.push(context.indexedAddress(cursor.uleb()));
      case 0xa3: // DW_OP_entry_value
      case 0xf3:
        return stack.push(await context.entryValue(cursor.block(cursor.uleb())));
      case 0xfa: // DW_OP_GNU_parameter_ref
        return stack.push(await context.entryValue(cursor.u32()));
      case 0xa4: // DW_OP_const_type
      case 0xf4: {
        const type = this.type(cursor.uleb());
        const bytes = cursor.block(cursor.u8());
        return stack.push(new Cursor(bytes, 0, 'typed constant').unsigned(bytes.length), type);
      }
      case 0xa5: // DW_OP_regval_type
      case 0xf5: {
        const value = this.known(cursor.uleb());
        return stack.push(value, this.type(cursor.uleb()));
      }
      case 0xa6: // DW_OP_deref_type
      case 0xf6: {
        const size = cursor.u8();
        const type = this.type(cursor.uleb());
        return stack.push(await this.load(stack.popNumber(), size), type);
      }
      case 0xa8: // DW_OP_convert
      case 0xf7: {
        const offset = cursor.uleb();
        const value = stack.pop();
        return stack.push(stack.signed(value), offset === 0 ? undefined : this.type(offset));
      }
      case 0xa9: // DW_OP_reinterpret
      case 0xf9: {
        const offset = cursor.uleb();
        return stack.push(stack.popNumber(), offset === 0 ? undefined : this.type(offset));
      }
      case 0xf0: // DW_OP_GNU_uninit
        return;
      case 0xa0: // DW_OP_implicit_pointer
      case 0xf2:
      case 0xfd: // DW_OP_GNU_variable_value
      case 0x9b: // DW_OP_form_tls_address
      case 0xe0:
        throw new Unavailable('it points to something that was optimised out');
      default:
        return cursor.fail(`operation 0x${opcode.toString(16)} is not known`);
    }
  }

  private inRegister(number: number): void {
    const name = this.context.registerName(number);
    if (name === undefined) throw new Unavailable(`it is in register ${number}, which is not known`);
    this.place_ = { kind: 'register', name };
    const value = this.context.register(number);
    if (value !== undefined) this.stack.push(value);
  }

  private piece(size: number): void {
    this.pieces.push({ place: this.current(), size });
    while (this.stack.depth > 0) this.stack.pop();
    this.place_ = undefined;
  }

  private known(number: number): bigint {
    const value = this.context.register(number);
    if (value === undefined)
      throw new Unavailable(`register ${this.context.registerName(number) ?? number} is not known`);
    return value;
  }

  private type(offset: number): StackType {
    const type = this.context.baseType(offset);
    if (!type) throw new Unavailable('it is computed with a type that is not an integer');
    return type;
  }

  private async load(address: bigint, size: number): Promise<bigint> {
    if (size < 1 || size > 8) throw new RangeError(`loads ${size} bytes`);
    const bytes = await this.context.read(address, size);
    if (bytes.length < size) throw new Unavailable(`memory at 0x${address.toString(16)} cannot be read`);
    return bytes.subarray(0, size).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }
}
