/**
 * Call stacks. Each caller is found by the surest means there is: call frame information; the word that a call to
 * nowhere has pushed; the frame that the processor pushed for an interrupt; the frame pointer; and as a last resort the next word on the stack that can only be a return
 * address. Every frame says which.
 */
import type { CallerRegisters, Frame, ReadMemory, SymbolIndex } from './api.ts';
import { RegisterModel, type Registers } from './registers.ts';
import { byCallToNowhere, byFramePointer, byInterruptFrame, byReturnAddress } from './stack-scan.ts';

export interface BacktraceOptions {
  readonly symbols: SymbolIndex | undefined;
  /** The innermost frame's, by GDB's names; those wider than 64 bits left out. */
  readonly registers: Registers;
  readonly read: ReadMemory;
  /** Linear address of offset 0 in the code segment. Callers are looked for only where it is 0: compilers know no other code. */
  readonly codeBase?: bigint;
  /** Index of the first frame wanted; 0 is the innermost. */
  readonly start?: number;
  /** At most so many frames. */
  readonly limit?: number;
}

/** Physical frames, inlined ones not counted, after which a stack is taken to be endless. */
const maximumFrames = 4096;
const defaultLimit = 256;

/** A frame before it is split into its inline levels. */
export interface Physical {
  readonly address: bigint;
  /** As in `FrameContext`. */
  readonly pc: bigint;
  readonly registers: Registers;
  readonly found: Frame['found'];
  readonly read: ReadMemory;
}

/** Frames `start` to `start + limit`, innermost first. Never throws for what guest memory holds. */
export async function backtrace(options: BacktraceOptions): Promise<Frame[]> {
  const { start = 0, limit = defaultLimit, symbols } = options;
  const frames: Frame[] = [];
  let index = 0;
  for await (const { physical, cfa } of walk(options)) {
    for (const frame of expand(physical, cfa, symbols)) {
      if (index >= start + limit) return frames;
      if (index >= start) frames.push({ ...frame, index });
      index++;
    }
    if (index >= start + limit) return frames;
  }
  return frames;
}

async function* walk(options: BacktraceOptions): AsyncGenerator<{ physical: Physical; cfa: bigint | undefined }> {
  const { symbols, registers, read, codeBase = 0n } = options;
  const model = RegisterModel.for(symbols?.machine ?? (registers.has('rip') ? 'x86-64' : 'i386'), registers);
  const pc = registers.get(model.programCounterName);
  if (pc === undefined) return;
  if (codeBase !== 0n) {
    const address = BigInt.asUintN(32, codeBase + pc);
    yield { physical: { address, pc: address, registers, found: 'registers', read }, cfa: undefined };
    return;
  }
  let physical: Physical | undefined = { address: pc, pc, registers, found: 'registers', read };
  const seen = new Set<string>();
  for (let count = 0; physical && count < maximumFrames; count++) {
    const stack: bigint | undefined = physical.registers.get(model.stackPointerName);
    const key = `${physical.address}/${stack}`;
    if (seen.has(key)) return;
    seen.add(key);
    const caller: Caller | undefined = await findCaller(physical, symbols, model);
    yield { physical, cfa: caller?.cfa };
    physical = caller && callerFrame(caller, physical, model);
  }
}

/** A caller and how it was found. */
export interface Caller extends CallerRegisters {
  readonly found: Frame['found'];
}

async function findCaller(
  frame: Physical,
  symbols: SymbolIndex | undefined,
  model: RegisterModel,
): Promise<Caller | undefined> {
  const unwound = await symbols?.unwind(frame);
  if (unwound && isProgress(unwound, frame, model))
    return { ...unwound, found: unwound.interrupted ? 'interrupt-frame' : 'cfi' };
  // CFI that gives no return address says that this is the outermost frame.
  if (unwound && !unwound.registers.has(model.programCounterName)) return { ...unwound, found: 'cfi' };
  return (
    (await byCallToNowhere(frame, symbols, model)) ??
    (await byInterruptFrame(frame, symbols, model)) ??
    (await byFramePointer(frame, symbols, model)) ??
    (await byReturnAddress(frame, symbols, model))
  );
}

/** A called function's frame lies above its caller's on a stack that grows down; only interrupts change stacks. */
function isProgress(caller: CallerRegisters, frame: Physical, model: RegisterModel): boolean {
  if (!caller.registers.has(model.programCounterName)) return false;
  const stack = frame.registers.get(model.stackPointerName);
  return caller.interrupted || stack === undefined || caller.cfa > stack;
}

function callerFrame(caller: Caller, frame: Physical, model: RegisterModel): Physical | undefined {
  const address = caller.registers.get(model.programCounterName);
  if (address === undefined || address === 0n) return undefined;
  const { registers, found, interrupted } = caller;
  return { address, pc: interrupted ? address : address - 1n, registers, found, read: frame.read };
}

/** The inline levels of one physical frame, innermost first. */
function expand(physical: Physical, cfa: bigint | undefined, symbols: SymbolIndex | undefined): Omit<Frame, 'index'>[] {
  const { pc, registers, read, address, found } = physical;
  const symbol = symbols?.symbolAt(pc);
  const common = {
    pc,
    registers,
    read,
    address,
    found,
    ...(cfa === undefined ? {} : { cfa }),
    ...(symbol ? { symbol } : {}),
  };
  const levels = symbols?.inlineLevels(pc) ?? [];
  if (levels.length === 0) {
    const line = symbols?.lineAt(pc);
    const source = line && { file: line.file, line: line.line, column: line.column };
    return [{ ...common, level: 0, inlined: false, ...(source ? { line: source } : {}) }];
  }
  return levels.map((level, index) => ({
    ...common,
    level: index,
    inlined: level.inlined,
    function: level.function,
    ...(level.line ? { line: level.line } : {}),
  }));
}
