import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Frame, ReadMemory, SymbolIndex, Type, VariableInfo } from './api.ts';
import { ElfFile } from './elf.ts';
import { build, compilers, gdb, nameOf, scratch, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';
import { backtrace } from './unwinder.ts';

/** Stops along the program's way, as many instructions apart as shares no factor with its loops. */
const stops = 40;
const apart = 7;

interface Stop {
  readonly registers: Map<string, bigint>;
  /** `function file:line`, innermost first. */
  readonly stack: readonly string[];
  /** For each frame, what `info args` and `info locals` print. */
  readonly values: readonly (readonly string[])[];
  readonly read: ReadMemory;
}

/** Runs the program under gdb and takes down what it sees at each stop. */
function record(program: string): Stop[] {
  const elf = ElfFile.open(program);
  const data = elf.sections.filter((section) => ['.data', '.bss'].includes(section.name));
  const low = data[0]!.address;
  const high = data.at(-1)!.address + BigInt(data.at(-1)!.size);
  const dump = scratch(`memory-${program.split('/').at(-1)}`);
  const names = 'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip';
  const loop = [
    'set $stop = 0',
    `while $stop < ${stops}`,
    'echo \\n@@stop\\n',
    `info registers ${names}`,
    'echo @@stack\\n',
    'bt',
    'echo @@arguments\\n',
    'frame apply all info args',
    'echo @@locals\\n',
    'frame apply all info locals',
    'echo @@end\\n',
    `eval "dump binary memory ${dump}-%d ${low} ${high}", $stop`,
    `stepi ${apart}`,
    'set $stop = $stop + 1',
    'end',
  ].join('\n');
  const script = scratch('script.gdb');
  writeFileSync(script, loop);
  const text = gdb(program, ['set print frame-arguments presence', 'break run', 'run', `source ${script}`]);
  // The last one may be where the program has ended.
  const parts = text.split('@@stop\n').filter((part) => part.includes('@@end'));
  return parts.map((part, index) => {
    const memory = readFileSync(`${dump}-${index}`);
    const registers = [...part.matchAll(/^(r\w+)\s+(0x[0-9a-f]+)/gm)].map(
      ([, name, value]) => [name!, BigInt(value!)] as const,
    );
    return {
      registers: new Map(registers),
      stack: [...between(part, '@@stack', '@@arguments').matchAll(/^#\d+ .*?(\w+) \(.*?\)(?: at (\S+))?/gm)].map(
        ([, name, place]) => `${name} ${place?.split('/').at(-1) ?? ''}`,
      ),
      values: merge(
        frameTexts(between(part, '@@arguments', '@@locals')),
        frameTexts(between(part, '@@locals', '@@end')),
      ),
      read: async (address, length) => {
        const at = Number(address - low);
        return at >= 0 && at < memory.length ? memory.subarray(at, at + length) : elf.load(address, length);
      },
    };
  });
}

const between = (text: string, from: string, to: string): string =>
  text.slice(text.indexOf(from) + from.length, text.indexOf(to));

/** The lines `name = value` under each frame's header. */
const frameTexts = (text: string): string[][] =>
  text
    .split(/^#\d+.*$/m)
    .slice(1)
    .map((frame) => frame.split('\n').filter((line) => /^\w+ = /.test(line)));

const merge = (a: string[][], b: string[][]): string[][] =>
  a.map((lines, index) => [...lines, ...(b[index] ?? [])].sort());

/** Bytes of a variable; undefined for those that are nowhere. */
async function bytesOf(variable: VariableInfo, frame: Frame, symbols: SymbolIndex): Promise<(number | undefined)[]> {
  type Located = Awaited<ReturnType<SymbolIndex['locate']>>;
  const read = async (place: Located, size: number): Promise<(number | undefined)[]> => {
    switch (place.kind) {
      case 'memory':
        return [...(await frame.read(place.address, size))];
      case 'register': {
        const value = frame.registers.get(place.name);
        return Array.from({ length: size }, (_, index) =>
          value === undefined ? undefined : Number((value >> BigInt(8 * index)) & 0xffn),
        );
      }
      case 'value':
        return [...place.bytes.subarray(0, size)];
      case 'pieces': {
        const parts = await Promise.all(place.pieces.map((piece) => read(piece.place, piece.size)));
        return parts.flat();
      }
      case 'optimized-out':
        return new Array(size).fill(undefined);
    }
  };
  return read(await symbols.locate(variable, frame), sizeOf(variable.type));
}

function sizeOf(type: Type): number {
  switch (type.kind) {
    case 'array':
      return (type.count ?? 0) * sizeOf(type.element);
    case 'void':
    case 'function':
      return 0;
    case 'base':
    case 'pointer':
    case 'enum':
    case 'struct':
    case 'union':
    case 'class':
      return type.size;
    default:
      return sizeOf(type.target);
  }
}

/** A value as gdb writes it, for the types of the fixtures. */
function format(type: Type, bytes: readonly (number | undefined)[]): string {
  switch (type.kind) {
    case 'struct':
      return `{${type.members.map((m) => `${m.name} = ${format(m.type, bytes.slice(m.offset, m.offset + sizeOf(m.type)))}`).join(', ')}}`;
    case 'array': {
      const size = sizeOf(type.element);
      return `{${Array.from({ length: type.count ?? 0 }, (_, at) => format(type.element, bytes.slice(at * size, (at + 1) * size))).join(', ')}}`;
    }
    case 'base':
    case 'pointer': {
      if (bytes.length < type.size || bytes.includes(undefined)) return '<optimized out>';
      const value = bytes.reduceRight<bigint>((sum, byte) => (sum << 8n) | BigInt(byte!), 0n);
      if (type.kind === 'pointer') return `0x${value.toString(16)}`;
      return String(type.encoding.startsWith('signed') ? BigInt.asIntN(8 * type.size, value) : value);
    }
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'atomic':
      return format(type.target, bytes);
    default:
      throw new Error(`the fixtures have no ${type.kind} to show`);
  }
}

/** gdb adds a symbol to pointers and shows whole structures as optimised out by one word. */
const plain = (line: string): string =>
  line
    .replaceAll(/ <[\w+]+>/g, '')
    .replaceAll('<synthetic pointer>', '<optimized out>')
    .replace(/^(\w+ = )\{(?:\w+ = )?<optimized out>(?:, (?:\w+ = )?<optimized out>)*\}$/, '$1<optimized out>');

const lost = 'was in a register that a call may have changed';

/**
 * What gdb shows and we do not claim: the value of a register that the called function may have overwritten, and
 * variables of inner scopes that an inlined copy has nothing of.
 */
function comparable(theirs: readonly string[], ours: readonly string[]): { theirs: string[]; ours: string[] } {
  const nameOfLine = (line: string) => line.split(' ')[0];
  const unknown = new Set(ours.filter((line) => line.endsWith(lost)).map(nameOfLine));
  return {
    theirs: [...new Set(theirs)].filter((line) => {
      const extra = line.endsWith(' = <optimized out>') && !ours.includes(line);
      return !extra && !unknown.has(nameOfLine(line));
    }),
    ours: ours.filter((line) => !unknown.has(nameOfLine(line))),
  };
}

async function valuesOf(frame: Frame, symbols: SymbolIndex): Promise<string[]> {
  const variables = symbols.variablesAt(frame.pc, frame.level).filter(({ name }) => name !== 'pad');
  const lines = await Promise.all(
    variables.map(async (each) => {
      const place = await symbols.locate(each, frame);
      const isLost = place.kind === 'register' && !frame.registers.has(place.name);
      return isLost
        ? `${each.name} ${lost}`
        : plain(`${each.name} = ${format(each.type, await bytesOf(each, frame, symbols))}`);
    }),
  );
  return lines.sort();
}

/** gdb makes up frames for functions that left by a tail call; we show what is on the stack. */
const noTailCalls = '-fno-optimize-sibling-calls';
const variants: readonly Variant[] = [
  ...compilers.flatMap((compiler) =>
    ([0, 1, 2] as const).flatMap((optimisation) =>
      ([4, 5] as const).map((dwarf) => ({ compiler, optimisation, dwarf, flags: [noTailCalls] })),
    ),
  ),
  // Of clang's, gdb 13 shows as optimised out what its `info scope` has a place for.
  ...([4, 5] as const).flatMap((dwarf): Variant[] => {
    const variant: Variant = { compiler: 'gcc', optimisation: 2, dwarf, flags: [noTailCalls, '-gsplit-dwarf'] };
    // With a package of DWARF 5, gdb 13 ends in a fault of its own.
    return dwarf === 5 ? [variant] : [variant, { ...variant, packer: 'dwp' }, { ...variant, packer: 'llvm-dwp' }];
  }),
];

describe('stacks and variables of a running program as gdb has them', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const program = build(variant);
      const symbols = await openSymbols(program);
      const recorded = record(program);
      assert.ok(recorded.length >= 20, `${recorded.length} stops`);
      for (const stop of recorded) {
        const frames = await backtrace({ symbols, registers: stop.registers, read: stop.read });
        const stack = frames.map((frame) => {
          const line = frame.line ? `${frame.line.file.split('/').at(-1)}:${frame.line.line}` : '';
          return `${frame.function?.name ?? frame.symbol?.name} ${line}`;
        });
        assert.deepEqual(stack, stop.stack);
        for (const [index, frame] of frames.entries()) {
          const theirs = stop.values[index]!.filter((line) => !line.startsWith('pad ')).map(plain);
          const both = comparable(theirs.sort(), await valuesOf(frame, symbols));
          assert.deepEqual(both.ours, both.theirs, `frame ${index} of ${stack.join(', ')}`);
        }
      }
      assert.deepEqual(symbols.problems, []);
      symbols.close();
    });
  }
});
