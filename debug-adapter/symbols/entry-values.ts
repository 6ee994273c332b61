/** What a parameter was on entry to a function, from the call site in its caller. DWARF 5, 2.5.1.7 and 3.4. */
import type { Addresses } from './addresses.ts';
import type { FrameContext } from './api.ts';
import type { Die } from './die.ts';
import { attribute, tag } from './dwarf-constants.ts';
import { type ExpressionContext, evaluateNumber, Unavailable } from './expression.ts';
import type { Frames } from './frames.ts';
import type { Lines } from './lines.ts';
import { RegisterModel } from './registers.ts';
import type { Scopes } from './scopes.ts';
import type { Unit } from './unit.ts';

const maximumNesting = 64;

export interface EntryValueSources {
  readonly frames: Frames;
  readonly scopes: Scopes;
  readonly lines: Lines;
  readonly addresses: Addresses;
  contextOf(unit: Unit, caller: FrameContext): ExpressionContext;
}

/**
 * @param of an expression, or the offset of a parameter's entry: of one that an optimiser took away, no place is left to ask for.
 * Throws {@link Unavailable} where the caller does not say, or where it may not be the caller (a tail call between).
 */
export async function entryValue(
  of: Uint8Array | number,
  frame: FrameContext,
  from: EntryValueSources,
): Promise<bigint> {
  const { frames, scopes, lines, addresses } = from;
  const here = addresses.fromGuest(frame.pc);
  const unit = lines.unitFor(here);
  const callee = unit && scopes.functionAt(unit, here);
  const unwound = await frames.unwind(frame);
  const model = RegisterModel.for(addresses.wordSize === 8 ? 'x86-64' : 'i386', frame.registers);
  const returnAddress = unwound?.registers.get(model.programCounterName);
  if (!callee || !unwound || returnAddress === undefined || unwound.interrupted) throw new Unavailable('no caller');
  // What a caller passed is told by what the call keeps: also by registers that calls usually do not, where the compiler knows
  // that this function has no use for them (-fipa-ra).
  const registers = new Map([...frame.registers, ...unwound.registers]);
  const caller: FrameContext = { pc: returnAddress - 1n, registers, read: frame.read };
  const returnsTo = addresses.fromGuest(returnAddress);
  const callerUnit = lines.unitFor(returnsTo - 1);
  const callerFunction = callerUnit && scopes.functionAt(callerUnit, returnsTo - 1);
  const site = callerFunction && findCallSite(callerFunction, returnsTo, 0);
  if (!site) throw new Unavailable('the caller does not describe the call');
  const origin = site.reference(attribute.callOrigin) ?? site.reference(attribute.abstractOrigin);
  if (!origin || !sameFunction(origin, callee)) throw new Unavailable('it is not certain what was called there');
  for (const parameter of site.children()) {
    if (parameter.tag !== tag.callSiteParameter && parameter.tag !== tag.gnuCallSiteParameter) continue;
    const value = parameter.block(attribute.callValue) ?? parameter.block(attribute.gnuCallSiteValue);
    if (value && isOf(parameter, of)) return evaluateNumber(value, from.contextOf(site.unit, caller));
  }
  throw new Unavailable('the caller does not say what it passed');
}

function isOf(passed: Die, of: Uint8Array | number): boolean {
  if (typeof of === 'number') {
    const parameter = passed.reference(attribute.callParameter) ?? passed.reference(attribute.abstractOrigin);
    return parameter?.offset === of;
  }
  const location = passed.block(attribute.location);
  return location !== undefined && Buffer.compare(location, of) === 0;
}

function findCallSite(scope: Die, returnsTo: number, depth: number): Die | undefined {
  for (const die of scope.children()) {
    if (die.tag === tag.callSite || die.tag === tag.gnuCallSite) {
      if ((die.address(attribute.callReturnPc) ?? die.address(attribute.lowPc)) === returnsTo) return die;
    } else if (depth < maximumNesting && (die.tag === tag.lexicalBlock || die.tag === tag.inlinedSubroutine)) {
      const inner = findCallSite(die, returnsTo, depth + 1);
      if (inner) return inner;
    }
  }
  return undefined;
}

function sameFunction(origin: Die, callee: Die): boolean {
  if (callee.chain().some((die) => die.offset === origin.offset)) return true;
  const bothExternal = [origin, callee].every((die) => die.bearer(attribute.external)?.flag(attribute.external));
  return bothExternal && origin.name !== undefined && origin.name === callee.name;
}
