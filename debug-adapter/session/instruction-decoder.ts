/** iced-x86 behind a small seam: loaded when the first instruction is asked for, WebAssembly memory freed after use. */
import type { Decoder, Formatter, Instruction } from 'iced-x86';

/** Intel SDM volume 2, 2.3.11. */
export const LONGEST_INSTRUCTION = 15;

export type Bits = 16 | 32 | 64;
export type Syntax = 'intel' | 'att';

type Iced = typeof import('iced-x86');
let iced: Promise<Iced> | undefined;

async function loadIced(): Promise<Iced> {
  iced ??= import('iced-x86');
  return iced;
}

/** Length of an instruction, and whether its bytes are one at all: a bad one has one byte. */
export interface Boundary {
  readonly length: number;
  readonly valid: boolean;
}

/** Decodes within one block of code; `dispose` it. */
export interface InstructionDecoder {
  /** The instruction at an offset from the block's start. */
  boundaryAt(offset: number): Boundary;
  textAt(offset: number, symbol: (address: bigint) => string | undefined): string;
  /** Whether it is a call, and where to, unless that is found in a register or in memory. */
  callAt(offset: number): { readonly target?: bigint } | undefined;
  dispose(): void;
}

/**
 * `address` is the linear address of the block's first byte. Targets in 16-bit code are offsets in the segment, so
 * instruction pointers there count from `segment`.
 */
export async function decoderFor(
  code: Uint8Array,
  address: bigint,
  bits: Bits,
  syntax: Syntax,
  segment: bigint,
): Promise<InstructionDecoder> {
  const loaded = await loadIced();
  const decoder = new loaded.Decoder(bits, code, loaded.DecoderOptions.None);
  const instruction = new loaded.Instruction();
  const formatter = makeFormatter(loaded, syntax);
  const decode = (offset: number) => {
    decoder.position = offset;
    decoder.ip = BigInt.asUintN(bits, address - segment + BigInt(offset));
    decoder.decodeOut(instruction);
  };
  return {
    boundaryAt(offset) {
      decode(offset);
      return instruction.isInvalid ? { length: 1, valid: false } : { length: instruction.length, valid: true };
    },
    textAt(offset, symbol) {
      decode(offset);
      if (instruction.isInvalid) return '(bad)';
      const segmentSymbol = (target: bigint) => symbol(BigInt.asUintN(64, target + segment));
      return formatter.format(instruction) + reference(loaded, instruction, segmentSymbol);
    },
    callAt(offset) {
      decode(offset);
      const { FlowControl } = loaded;
      if (instruction.flowControl === FlowControl.IndirectCall) return {};
      return instruction.flowControl === FlowControl.Call ? { target: instruction.nearBranchTarget } : undefined;
    },
    dispose() {
      for (const each of [decoder, instruction, formatter] as readonly (Decoder | Instruction | Formatter)[])
        each.free();
    },
  };
}

function makeFormatter(loaded: Iced, syntax: Syntax): Formatter {
  const formatter = new loaded.Formatter(syntax === 'att' ? loaded.FormatterSyntax.Gas : loaded.FormatterSyntax.Intel);
  formatter.hexPrefix = '0x';
  formatter.hexSuffix = '';
  formatter.uppercaseHex = false;
  formatter.branchLeadingZeros = false;
  formatter.ripRelativeAddresses = true;
  formatter.spaceAfterOperandSeparator = syntax === 'intel';
  return formatter;
}

/** What the instruction refers to, behind it: ` <main+4>` for branches, `  # 0x404010 <counter>` for memory. */
function reference(loaded: Iced, instruction: Instruction, symbol: (address: bigint) => string | undefined): string {
  const { OpKind, Register } = loaded;
  const branch = [OpKind.NearBranch16, OpKind.NearBranch32, OpKind.NearBranch64];
  const count = instruction.opCount;
  for (let operand = 0; operand < count; operand++) {
    const kind = instruction.opKind(operand);
    if (branch.includes(kind)) {
      const name = symbol(instruction.nearBranchTarget);
      return name === undefined ? '' : ` <${name}>`;
    }
    if (kind !== OpKind.Memory) continue;
    if (instruction.isIpRelMemoryOperand) {
      const name = symbol(instruction.ipRelMemoryAddress);
      return `  # 0x${instruction.ipRelMemoryAddress.toString(16)}${name === undefined ? '' : ` <${name}>`}`;
    }
    if (instruction.memoryBase === Register.None && instruction.memoryIndex === Register.None) {
      const name = symbol(instruction.memoryDisplacement);
      return name === undefined ? '' : `  # <${name}>`;
    }
  }
  return '';
}
