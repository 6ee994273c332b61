/** Unwinds by call frame information and evaluates expressions in frames. DWARF 5, 6.4.3 and 2.5. */
import type { CallerRegisters, FrameContext, Place } from './api.ts';
import type { CallFrames } from './cfi.ts';
import { type RegisterRule, rulesAt } from './cfi-rules.ts';
import type { DebugInfo } from './debug-info.ts';
import { type ExpressionContext, evaluateLocation, evaluateNumber, Unavailable } from './expression.ts';
import { RegisterModel } from './registers.ts';

/** What a frame's expressions may ask beyond registers and memory. */
export type FrameHooks = Pick<
  ExpressionContext,
  'frameBase' | 'entryValue' | 'indexedAddress' | 'baseType' | 'procedure'
> & {
  readonly offsetSize: number;
};

const unavailable = (what: string) => (): never => {
  throw new Unavailable(what);
};

/** For expressions of call frame information, which stand outside of all units. */
const noHooks: FrameHooks = {
  offsetSize: 4,
  frameBase: unavailable('no frame base here'),
  entryValue: unavailable('no entry values here'),
  indexedAddress: unavailable('no address table here'),
  baseType: () => undefined,
  procedure: () => undefined,
};

export class Frames {
  constructor(
    private readonly info: DebugInfo,
    private readonly callFrames: CallFrames,
  ) {}

  context(frame: FrameContext, hooks: FrameHooks = noHooks): ExpressionContext {
    const model = RegisterModel.for(this.info.elf.machine, frame.registers);
    return {
      ...hooks,
      addressSize: model.wordSize,
      read: frame.read,
      imageAddress: (address) => this.info.addresses.moved(address),
      register: (number) => model.value(frame.registers, number),
      registerName: (number) => model.name(number),
      callFrameAddress: async () => {
        const cfa = (await this.rules(frame))?.cfa;
        if (cfa === undefined) throw new Unavailable('no call frame information here');
        return cfa;
      },
    };
  }

  /** Undefined without call frame information for the frame's address. Throws {@link Unavailable}. */
  async unwind(frame: FrameContext): Promise<CallerRegisters | undefined> {
    const found = await this.rules(frame);
    if (!found) return undefined;
    const { cfa, rules, fde } = found;
    const model = RegisterModel.for(this.info.elf.machine, frame.registers);
    const context = this.context(frame);
    const interrupted = fde.cie.signalFrame;
    const caller = new Map([...frame.registers].filter(([name]) => interrupted || !model.isLost(name)));
    caller.set(model.stackPointerName, cfa);
    caller.delete(model.programCounterName);
    for (const [number, rule] of rules.registers) {
      const name = number === fde.cie.returnRegister ? model.programCounterName : model.name(number);
      if (name === undefined) continue;
      const value = await this.restore(number, rule, cfa, context);
      if (value === undefined) caller.delete(name);
      else caller.set(name, value);
    }
    return { cfa, registers: caller, interrupted };
  }

  private async restore(
    number: number,
    rule: RegisterRule,
    cfa: bigint,
    context: ExpressionContext,
  ): Promise<bigint | undefined> {
    try {
      switch (rule.kind) {
        case 'undefined':
          return undefined;
        case 'same':
          return context.register(number);
        case 'register':
          return context.register(rule.register);
        case 'offset':
          return await this.load(cfa + BigInt(rule.offset), context);
        case 'value-offset':
          return this.wrap(cfa + BigInt(rule.offset));
        case 'expression':
          return await this.load(await evaluateNumber(rule.program, context, [cfa]), context);
        case 'value-expression':
          return await evaluateNumber(rule.program, context, [cfa]);
      }
    } catch (error) {
      if (error instanceof Unavailable) return undefined;
      throw error;
    }
  }

  private async rules(frame: FrameContext) {
    const distance = this.info.addresses.fromGuest(frame.pc);
    const fde = this.callFrames.find(distance);
    if (!fde) return undefined;
    const rules = rulesAt(fde, distance, (address) => this.info.addresses.toDistance(address));
    if (!rules.cfa) return undefined;
    const context = this.context(frame);
    if (rules.cfa.kind === 'expression') return { fde, rules, cfa: await evaluateNumber(rules.cfa.program, context) };
    const base = context.register(rules.cfa.register);
    if (base === undefined) throw new Unavailable(`register ${rules.cfa.register} is not known`);
    return { fde, rules, cfa: this.wrap(base + BigInt(rules.cfa.offset)) };
  }

  private async load(address: bigint, context: ExpressionContext): Promise<bigint> {
    const bytes = await context.read(this.wrap(address), context.addressSize);
    if (bytes.length < context.addressSize) throw new Unavailable(`memory at 0x${address.toString(16)} cannot be read`);
    return bytes.subarray(0, context.addressSize).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  private wrap(address: bigint): bigint {
    return BigInt.asUintN(8 * this.info.addresses.wordSize, address);
  }
}

/** A place, or "optimised out" where it cannot be had. */
export async function locationOrNone(program: Uint8Array, context: ExpressionContext): Promise<Place> {
  try {
    return await evaluateLocation(program, context);
  } catch (error) {
    if (error instanceof Unavailable) return { kind: 'optimized-out' };
    throw error;
  }
}
