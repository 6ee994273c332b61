/** Finding callers without call frame information, by what compilers and the processor leave on the stack. */
import type { ReadMemory, SymbolIndex } from './api.ts';
import type { RegisterModel } from './registers.ts';
import type { Caller, Physical } from './unwinder.ts';

/** Words above the stack pointer that are looked at: room for saved registers, error code and vector number. */
const interruptWords = 40;
const scanWords = 256;
/** A frame pointer farther from the stack pointer than this belongs to another stack. */
const largestFrame = 1n << 20n;

const flagsReserved = 0xffff_ffff_ffc0_802an;
const flagsAlwaysSet = 2n;

/**
 * The frame that an exception or interrupt pushed (Intel SDM 3, 6.14.2 and figure 6-4), above what a handler's assembly
 * stub saved. Only for code that no compiler described, and only where every word of the frame is plausible.
 */
export async function byInterruptFrame(
  frame: Physical,
  symbols: SymbolIndex | undefined,
  model: RegisterModel,
): Promise<Caller | undefined> {
  if (!symbols || isCompiled(symbols, frame.pc)) return undefined;
  const stack = frame.registers.get(model.stackPointerName);
  if (stack === undefined) return undefined;
  const words = await readWords(frame.read, stack, interruptWords, model.wordSize);
  for (let at = 0; at + 3 <= words.length; at++) {
    const [address, segment, flags, stackPointer, stackSegment] = words.slice(at, at + 5) as (bigint | undefined)[];
    if (!isCode(symbols, address) || !isSelector(segment) || !areFlags(flags, model)) continue;
    // In long mode the stack is always pushed, in protected mode only when the privilege level changed.
    const pushesStack = model.wordSize === 8 || ((segment ?? 0n) & 3n) !== 0n;
    if (pushesStack && (!isCanonical(stackPointer) || stackPointer === 0n || !isStackSelector(stackSegment, segment)))
      continue;
    // What was interrupted is of another image, such as a guest of this one: behind all callers that are of this one.
    const here = symbols.pathAt(frame.pc);
    if (symbols.pathAt(address) !== here && (await returnsInto(here, words.slice(0, at), symbols, frame.read)))
      return undefined;
    const cfa = stack + BigInt(model.wordSize * (at + (pushesStack ? 5 : 3)));
    const registers = new Map([...frame.registers].filter(([name]) => !model.isLost(name)));
    registers.set(model.programCounterName, address as bigint);
    registers.set(model.stackPointerName, pushesStack ? (stackPointer as bigint) : cfa);
    registers.set('cs', segment as bigint);
    registers.set('eflags', flags as bigint);
    return { cfa, registers, interrupted: true, found: 'interrupt-frame' };
  }
  return undefined;
}

async function returnsInto(
  path: string,
  words: readonly bigint[],
  symbols: SymbolIndex,
  read: ReadMemory,
): Promise<boolean> {
  for (const word of words)
    if (isCode(symbols, word) && symbols.pathAt(word) === path && (await followsCall(read, word))) return true;
  return false;
}

/** Who called an address where no memory is, such as 0: nothing has run there, so all is as the call left it. */
export async function byCallToNowhere(
  frame: Physical,
  symbols: SymbolIndex | undefined,
  model: RegisterModel,
): Promise<Caller | undefined> {
  const stack = frame.registers.get(model.stackPointerName);
  if (!symbols || stack === undefined || (await frame.read(frame.pc, 1)).length > 0) return undefined;
  const [address] = await readWords(frame.read, stack, 1, model.wordSize);
  if (!isCode(symbols, address) || !(await followsCall(frame.read, address))) return undefined;
  const cfa = stack + BigInt(model.wordSize);
  const registers = new Map([...frame.registers].filter(([name]) => !model.isLost(name)));
  registers.set(model.programCounterName, address);
  registers.set(model.stackPointerName, cfa);
  return { cfa, registers, interrupted: false, found: 'return-address' };
}

/** `push rbp; mov rbp, rsp` chains; knows that the first two instructions of a function have not set theirs up yet. */
export async function byFramePointer(
  frame: Physical,
  symbols: SymbolIndex | undefined,
  model: RegisterModel,
): Promise<Caller | undefined> {
  const stack = frame.registers.get(model.stackPointerName);
  const pointer = frame.registers.get(model.framePointerName);
  if (stack === undefined) return undefined;
  const size = BigInt(model.wordSize);
  const early = frame.found === 'registers' ? await atEntry(frame, symbols, model) : undefined;
  if (early !== undefined) {
    const slot = stack + (early === 'pushed' ? size : 0n);
    const [address] = await readWords(frame.read, slot, 1, model.wordSize);
    const saved = early === 'pushed' ? (await readWords(frame.read, stack, 1, model.wordSize))[0] : pointer;
    if (isReturn(symbols, address)) return made(frame, model, 'frame-pointer', slot + size, address as bigint, saved);
  }
  if (pointer === undefined || pointer < stack || pointer - stack > largestFrame || pointer % size !== 0n)
    return undefined;
  const [saved, address] = await readWords(frame.read, pointer, 2, model.wordSize);
  if (saved === undefined || !isReturn(symbols, address)) return undefined;
  if (saved !== 0n && saved <= pointer) return undefined;
  return made(frame, model, 'frame-pointer', pointer + 2n * size, address as bigint, saved);
}

/** The first word up the stack that follows a call instruction in the image's code. */
export async function byReturnAddress(
  frame: Physical,
  symbols: SymbolIndex | undefined,
  model: RegisterModel,
): Promise<Caller | undefined> {
  const stack = frame.registers.get(model.stackPointerName);
  if (!symbols || stack === undefined) return undefined;
  const words = await readWords(frame.read, stack, scanWords, model.wordSize);
  for (const [index, address] of words.entries()) {
    if (!isCode(symbols, address) || !(await followsCall(frame.read, address))) continue;
    const pointer = frame.registers.get(model.framePointerName);
    return made(frame, model, 'return-address', stack + BigInt((index + 1) * model.wordSize), address, pointer);
  }
  return undefined;
}

function made(
  frame: Physical,
  model: RegisterModel,
  found: Caller['found'],
  cfa: bigint,
  address: bigint,
  pointer: bigint | undefined,
): Caller {
  const isUnknown = (name: string) => model.isLost(name) || model.preserved.has(name);
  const registers = new Map([...frame.registers].filter(([name]) => !isUnknown(name)));
  registers.set(model.programCounterName, address);
  registers.set(model.stackPointerName, cfa);
  if (pointer !== undefined) registers.set(model.framePointerName, pointer);
  return { cfa, registers, interrupted: false, found };
}

async function atEntry(
  frame: Physical,
  symbols: SymbolIndex | undefined,
  model: RegisterModel,
): Promise<'entered' | 'pushed' | undefined> {
  const symbol = symbols?.symbolAt(frame.pc);
  if (!symbol) return undefined;
  const into = Number(frame.pc - symbol.address);
  if (into === 0) return 'entered';
  if (into > 5) return undefined;
  const code = await frame.read(symbol.address, into);
  const endbr = code.length >= 4 && code[0] === 0xf3 && code[1] === 0x0f && code[2] === 0x1e;
  const rest = [...code.subarray(endbr ? 4 : 0)];
  if (rest.length === 0) return 'entered';
  return model.wordSize >= 4 && rest.length === 1 && rest[0] === 0x55 ? 'pushed' : undefined;
}

async function readWords(read: ReadMemory, address: bigint, count: number, size: number): Promise<bigint[]> {
  const bytes = await read(address, count * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.min(count, Math.floor(bytes.length / size)) }, (_, index) =>
    size === 8 ? view.getBigUint64(index * 8, true) : BigInt(view.getUint32(index * 4, true)),
  );
}

/** A compiler says where it took a function from; an assembler gives at most its name and extent. */
const isCompiled = (symbols: SymbolIndex, pc: bigint): boolean => symbols.functionAt(pc)?.declared !== undefined;

/** Within a function or label of the image, if there is one to ask. */
function isCode(symbols: SymbolIndex, address: bigint | undefined): address is bigint {
  if (address === undefined || address === 0n) return false;
  const symbol = symbols.symbolAt(address);
  return symbol !== undefined && symbol.kind !== 'object';
}

function isReturn(symbols: SymbolIndex | undefined, address: bigint | undefined): boolean {
  if (address === undefined || address < 4096n) return false;
  return symbols ? isCode(symbols, address) : isCanonical(address);
}

const isSelector = (value: bigint | undefined): boolean => value !== undefined && value > 3n && value <= 0xffffn;

const isStackSelector = (value: bigint | undefined, codeSegment: bigint | undefined): boolean =>
  value !== undefined && value <= 0xffffn && (value === 0n || (value & 3n) === ((codeSegment ?? 0n) & 3n));

const areFlags = (value: bigint | undefined, model: RegisterModel): boolean =>
  value !== undefined &&
  (value & flagsAlwaysSet) !== 0n &&
  (value & flagsReserved & ~flagsAlwaysSet & (model.wordSize === 8 ? ~0n : 0xffff_ffffn)) === 0n;

function isCanonical(value: bigint | undefined): boolean {
  if (value === undefined) return false;
  const top = value >> 47n;
  return top === 0n || top === 0x1ffffn;
}

/** Whether the bytes before `address` end in a call: E8 rel32, or FF /2 in its lengths (Intel SDM 2, CALL). */
async function followsCall(read: ReadMemory, address: bigint): Promise<boolean> {
  const before = await read(address - 7n, 7);
  if (before.length < 7) return false;
  if (before[2] === 0xe8) return true;
  return [2, 3, 4, 6, 7].some((length) => {
    const at = 7 - length;
    return before[at] === 0xff && ((before[at + 1] as number) & 0x38) === 0x10;
  });
}
