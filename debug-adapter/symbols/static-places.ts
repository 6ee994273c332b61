/**
 * Where a variable lives at an address in whatever frame: what a condition can use that the target evaluates by itself.
 * DWARF 5, 2.6.1. Only what a register and an offset can say; anything else needs {@link Variables.locate} and a frame.
 */
import type { StaticPlace } from './api.ts';
import { Cursor } from './bytes.ts';
import type { CallFrames } from './cfi.ts';
import { rulesAt } from './cfi-rules.ts';
import type { DebugInfo } from './debug-info.ts';
import { RegisterModel } from './registers.ts';
import type { Unit } from './unit.ts';

const op = {
  addr: 0x03,
  constu: 0x10,
  consts: 0x11,
  lit0: 0x30,
  reg0: 0x50,
  breg0: 0x70,
  regx: 0x90,
  fbreg: 0x91,
  bregx: 0x92,
  callFrameCfa: 0x9c,
  stackValue: 0x9f,
  addrx: 0xa1,
  gnuAddrIndex: 0xfb,
} as const;

/** The location expression of an object or of a frame base, with the unit that it stands in. */
export interface LocatedProgram {
  readonly program: Uint8Array;
  readonly unit: Unit;
}

export class StaticPlaces {
  constructor(
    private readonly info: DebugInfo,
    private readonly callFrames: CallFrames,
  ) {}

  /** Undefined where the expression takes more than a register and an offset. */
  of(located: LocatedProgram, distance: number, frameBase: () => LocatedProgram | undefined): StaticPlace | undefined {
    const { program, unit } = located;
    const cursor = new Cursor(program, 0, 'location expression');
    if (cursor.left === 0) return undefined;
    const place = this.first(cursor, unit, distance, frameBase);
    if (cursor.left === 0) return place?.kind === 'value' ? undefined : place;
    const isValue = place?.kind === 'value' && cursor.u8() === op.stackValue && cursor.left === 0;
    return isValue ? place : undefined;
  }

  /** The place, or the number, that the first operation alone stands for. */
  private first(
    cursor: Cursor,
    unit: Unit,
    distance: number,
    frameBase: () => LocatedProgram | undefined,
  ): StaticPlace | undefined {
    const opcode = cursor.u8();
    if (opcode >= op.lit0 && opcode < op.reg0) return value(BigInt(opcode - op.lit0));
    if (opcode >= op.reg0 && opcode < op.breg0) return this.register(opcode - op.reg0);
    if (opcode >= op.breg0 && opcode < op.regx) return this.relative(opcode - op.breg0, cursor.slebBig());
    switch (opcode) {
      case op.addr:
        return { kind: 'memory', offset: this.inGuest(cursor.unsigned(unit.header.addressSize)) };
      case op.addrx:
      case op.gnuAddrIndex:
        return { kind: 'memory', offset: this.inGuest(this.info.indexedAddress(unit, cursor.uleb())) };
      case op.constu:
        return value(cursor.ulebBig());
      case op.consts:
        return value(cursor.slebBig());
      case op.regx:
        return this.register(cursor.uleb());
      case op.bregx:
        return this.relative(cursor.uleb(), cursor.slebBig());
      case op.callFrameCfa:
        return this.callFrameAddress(distance);
      case op.fbreg: {
        const offset = cursor.slebBig();
        const base = frameBase();
        const place = base && this.of(base, distance, () => undefined);
        if (place?.kind === 'register') return { kind: 'memory', base: place.name, offset };
        return place?.kind === 'memory' ? { ...place, offset: place.offset + offset } : undefined;
      }
      default:
        return undefined;
    }
  }

  private inGuest(address: bigint): bigint {
    return this.info.addresses.moved(address);
  }

  private register(number: number): StaticPlace | undefined {
    const name = this.name(number);
    return name === undefined ? undefined : { kind: 'register', name };
  }

  private relative(number: number, offset: bigint): StaticPlace | undefined {
    const base = this.name(number);
    return base === undefined ? undefined : { kind: 'memory', base, offset };
  }

  private callFrameAddress(distance: number): StaticPlace | undefined {
    const fde = this.callFrames.find(distance);
    const cfa = fde && rulesAt(fde, distance, (address) => this.info.addresses.toDistance(address)).cfa;
    return cfa?.kind === 'register' ? this.relative(cfa.register, BigInt(cfa.offset)) : undefined;
  }

  private name(number: number): string | undefined {
    return RegisterModel.for(this.info.elf.machine, new Map()).name(number);
  }
}

function value(number: bigint): StaticPlace {
  return { kind: 'value', number };
}
