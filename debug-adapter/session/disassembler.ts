/**
 * Rows for DAP's `disassemble`: exactly as many as asked for, forwards and backwards from a base address. x86 cannot be
 * read backwards, so what lies before the base is decoded forwards from addresses known to start an instruction, and
 * where none is known from the start whose instructions end at the base.
 */
import { type CodeBlock, readCode } from './code-memory.ts';
import {
  type Bits,
  type Boundary,
  decoderFor,
  type InstructionDecoder,
  LONGEST_INSTRUCTION,
  type Syntax,
} from './instruction-decoder.ts';

export interface DisassembleRequest {
  /** Linear address that instruction offsets count from; taken for the start of an instruction. */
  readonly base: bigint;
  /** Instructions from `base` to the first row; negative before it. */
  readonly instructionOffset: number;
  /** Rows to answer. */
  readonly count: number;
  readonly bits: Bits;
  readonly syntax: Syntax;
  /** Base of CS where code does not count addresses from 0 (real mode). */
  readonly segment?: bigint;
}

export interface CodeSource {
  /** Guest-virtual memory; short where a page is not mapped. */
  read(address: bigint, length: number): Promise<Uint8Array>;
  /** `name` or `name+4`. */
  symbol(address: bigint): string | undefined;
  /** Addresses in `[low, high)` known to start an instruction, ascending: symbols, rows of line tables. */
  starts(low: bigint, high: bigint): readonly bigint[];
}

export interface Row {
  readonly address: bigint;
  /** Empty where nothing is mapped. */
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly symbol?: string;
  /** False for filler: nothing is mapped there. */
  readonly valid: boolean;
}

/** More than any view shows. */
const MAX_ROWS = 20_000;

const ADDRESS_SPACE = 1n << 64n;

/** Throws RangeError for a request that is larger than any view. */
export async function disassemble(request: DisassembleRequest, source: CodeSource): Promise<readonly Row[]> {
  const { instructionOffset, count } = request;
  if (count < 0 || count > MAX_ROWS || Math.abs(instructionOffset) > MAX_ROWS) {
    throw new RangeError(`at most ${MAX_ROWS} instructions at once, and no further than that from the address.`);
  }
  const before = Math.max(0, -instructionOffset);
  const after = Math.max(0, instructionOffset + count);
  const rows = [
    ...(await rowsBefore(request, before, Math.min(count, before), source)),
    ...(await rowsAfter(request, Math.max(0, instructionOffset), after, source)),
  ];
  return rows.slice(0, count);
}

/** Instructions `skip` to `end` from the base on. */
async function rowsAfter(request: DisassembleRequest, skip: number, end: number, source: CodeSource): Promise<Row[]> {
  if (end <= skip) return [];
  const blocks = await readCode(request.base, end * LONGEST_INSTRUCTION, source.read);
  const rows: Row[] = [];
  let index = 0;
  let address = request.base;
  for (const block of blocks) {
    if (index >= end) break;
    for (; address < block.address && index < end; address++, index++) if (index >= skip) rows.push(filler(address));
    const decoder = await openDecoder(block.bytes, block.address, request);
    try {
      let offset = Number(address - block.address);
      for (; offset < block.bytes.length && index < end; index++) {
        const { length } = decoder.boundaryAt(offset);
        if (index >= skip) rows.push(instructionRow(block, offset, length, decoder, source));
        offset += length;
      }
      address = block.address + BigInt(offset);
    } finally {
      decoder.dispose();
    }
  }
  for (; index < end; address++, index++) if (index >= skip) rows.push(filler(address));
  return rows;
}

/** The first `wanted` of the `count` rows that end right before the base. */
async function rowsBefore(
  request: DisassembleRequest,
  count: number,
  wanted: number,
  source: CodeSource,
): Promise<Row[]> {
  if (count === 0) return [];
  const reach = BigInt((count + 1) * LONGEST_INSTRUCTION);
  const low = request.base > reach ? request.base - reach : 0n;
  // An instruction may run on over the base when that is not where one starts.
  const wide = Number(request.base - low) + LONGEST_INSTRUCTION;
  const blocks = await readCode(low, wide, source.read);
  const block = blocks.find(
    ({ address, bytes }) => address < request.base && address + BigInt(bytes.length) >= request.base,
  );
  const spans: Span[] = [];
  const rows: Row[] = [];
  if (block) {
    const end = Number(request.base - block.address);
    const decoder = await openDecoder(block.bytes, block.address, request);
    try {
      const starts = source.starts(block.address, request.base).map((address) => Number(address - block.address));
      spans.push(...spansOf(decoder, end, starts));
      const missing = Math.max(0, count - spans.length);
      for (const { offset, length, whole } of spans.slice(-count).slice(0, Math.max(0, wanted - missing))) {
        rows.push(
          whole ? instructionRow(block, offset, length, decoder, source) : dataRow(block, offset, length, source),
        );
      }
    } finally {
      decoder.dispose();
    }
  }
  const first = block?.address ?? request.base;
  const fillers = Array.from({ length: Math.min(wanted, Math.max(0, count - spans.length)) }, (_, index) =>
    filler(first - BigInt(count - spans.length - index)),
  );
  return [...fillers, ...rows];
}

function openDecoder(bytes: Uint8Array, address: bigint, { bits, syntax, segment = 0n }: DisassembleRequest) {
  return decoderFor(bytes, address, bits, syntax, segment);
}

/** Bytes that make one row; not `whole` where an instruction would run over a known start. */
interface Span {
  readonly offset: number;
  readonly length: number;
  readonly whole: boolean;
}

/** Cuts a block into rows that keep to every known start and to the block's end. */
function spansOf(decoder: InstructionDecoder, end: number, starts: readonly number[]): Span[] {
  const [first = end] = starts;
  const spans = [...bestRun(decoder, first)];
  for (const [index, start] of starts.entries()) spans.push(...run(decoder, start, starts[index + 1] ?? end).spans);
  return spans;
}

/** x86 code falls into step within a few instructions: of the starts near 0, the one that reaches `end` cleanly. */
function bestRun(decoder: InstructionDecoder, end: number): readonly Span[] {
  let best: Run | undefined;
  for (let start = 0; start < Math.min(LONGEST_INSTRUCTION, end); start++) {
    const candidate = run(decoder, start, end);
    if (!best || candidate.faults < best.faults) best = candidate;
    if (best.faults === 0) break;
  }
  return best?.spans ?? [];
}

interface Run {
  readonly spans: readonly Span[];
  /** Bytes that are no instruction, and more for one that runs over the end. */
  readonly faults: number;
}

function run(decoder: InstructionDecoder, start: number, end: number): Run {
  const spans: Span[] = [];
  let faults = 0;
  for (let offset = start; offset < end; ) {
    const { length, valid }: Boundary = decoder.boundaryAt(offset);
    const whole = offset + length <= end;
    if (!valid) faults++;
    if (!whole) faults += 100;
    spans.push({ offset, length: whole ? length : end - offset, whole });
    offset += length;
  }
  return { spans, faults };
}

function rowAt(block: CodeBlock, offset: number, length: number, source: CodeSource, text: string): Row {
  const address = block.address + BigInt(offset);
  const symbol = source.symbol(address);
  const bytes = block.bytes.slice(offset, offset + length);
  return { address, bytes, text, valid: true, ...(symbol !== undefined && { symbol }) };
}

function instructionRow(
  block: CodeBlock,
  offset: number,
  length: number,
  decoder: InstructionDecoder,
  source: CodeSource,
) {
  const text = decoder.textAt(offset, (address) => source.symbol(address));
  return rowAt(block, offset, length, source, text);
}

/** Data, or code that is entered in its middle. */
function dataRow(block: CodeBlock, offset: number, length: number, source: CodeSource): Row {
  const bytes = [...block.bytes.subarray(offset, offset + length)];
  const text = `.byte ${bytes.map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(', ')}`;
  return rowAt(block, offset, length, source, text);
}

function filler(address: bigint): Row {
  const inside = address < 0n ? 0n : address >= ADDRESS_SPACE ? ADDRESS_SPACE - 1n : address;
  return { address: inside, bytes: new Uint8Array(0), text: '??', valid: false };
}
