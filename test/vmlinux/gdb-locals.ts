/** Where gdb finds the variables of a function, by cores of our making: one thread, its registers, and a stack. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './vmlinux.ts';

/** The stack, with another value in each word, in the kernel's half. */
export const STACK = { low: 0xffff_c900_0000_0000n, size: 0x8000 } as const;
/** As `struct user_regs_struct` has them, up to RIP, which is told apart. */
const ORDER = 'r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi'.split(' ');

/** Each register has another value, those of the stack are within it. */
export const REGISTERS: ReadonlyMap<string, bigint> = new Map([
  ...ORDER.map((name, index) => [name, 0x1122_3344_5500_0000n + BigInt(index + 1) * 0x1_0101n] as const),
  ['rbp', STACK.low + 0x5000n],
  ['rsp', STACK.low + 0x4000n],
]);

export function stackBytes(): Buffer {
  const bytes = Buffer.alloc(STACK.size);
  for (let at = 0; at < bytes.length; at += 8) bytes.writeBigUInt64LE(0x7700_0000_0000_0000n + BigInt(at * 0x1003), at);
  return bytes;
}

/** Where a thread stands, and what it has on its stack. */
export interface Place {
  readonly rip: bigint;
  readonly stack: Uint8Array;
}

/** ELF-64 with a PRSTATUS note (`struct elf_prstatus` of Linux) and one segment. */
function core({ rip, stack }: Place): Buffer {
  const [HEADER, PROGRAM, NOTE, STATUS] = [64, 56, 20, 336];
  const registersAt = HEADER + 2 * PROGRAM + NOTE + 112;
  const stackAt = 0x1000;
  const bytes = Buffer.alloc(stackAt);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(4, 16);
  bytes.writeUInt16LE(62, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(HEADER), 32);
  for (const [at, value] of [
    [52, HEADER],
    [54, PROGRAM],
    [56, 2],
  ] as const)
    bytes.writeUInt16LE(value, at);
  segment(HEADER, 4, HEADER + 2 * PROGRAM, 0n, NOTE + STATUS);
  segment(HEADER + PROGRAM, 1, stackAt, STACK.low, STACK.size);
  const note = HEADER + 2 * PROGRAM;
  for (const [index, word] of [5, STATUS, 1].entries()) bytes.writeUInt32LE(word, note + 4 * index);
  bytes.write('CORE', note + 12, 'latin1');
  for (const [index, name] of ORDER.entries())
    bytes.writeBigUInt64LE(REGISTERS.get(name) ?? 0n, registersAt + 8 * index);
  for (const [index, value] of [
    [16, rip],
    [17, 0x10n],
    [18, 2n],
    [19, REGISTERS.get('rsp') ?? 0n],
    [20, 0x18n],
  ] as const)
    bytes.writeBigUInt64LE(value, registersAt + 8 * index);
  return Buffer.concat([bytes, stack]);

  function segment(at: number, type: number, offset: number, address: bigint, size: number): void {
    bytes.writeUInt32LE(type, at);
    bytes.writeUInt32LE(6, at + 4);
    bytes.writeBigUInt64LE(BigInt(offset), at + 8);
    bytes.writeBigUInt64LE(address, at + 16);
    bytes.writeBigUInt64LE(BigInt(size), at + 32);
    bytes.writeBigUInt64LE(BigInt(size), at + 40);
  }
}

/** A line for each variable of the innermost function, inlined or not: where it is, or else what. */
const SCRIPT = `
import gdb, sys
for path in open(sys.argv_of_mine).read().split():
    gdb.execute('core-file ' + path, to_string=True)
    print('@@at', path)
    frame = gdb.newest_frame()
    seen = set()
    try:
        block = frame.block()
    except RuntimeError:
        # Assembly has none.
        block = None
    while block is not None:
        # One block may have several of a name, in no order.
        own = [symbol for symbol in block if (symbol.is_variable or symbol.is_argument) and symbol.name not in seen]
        seen.update(symbol.name for symbol in own)
        for symbol in own:
            try:
                value = symbol.value(frame)
                if value.is_optimized_out:
                    print(symbol.name, 'optimized-out')
                elif value.address is not None:
                    print(symbol.name, 'at', hex(int(value.address) & (2**64 - 1)))
                else:
                    print(symbol.name, 'is', hex(int(value) & (2**(8 * value.type.sizeof) - 1)))
            except Exception as error:
                print(symbol.name, 'unknown', str(error).replace(chr(10), ' '))
        if block.function is not None:
            break
        block = block.superblock
`;

/** By name, for each of `places`: `optimized-out`, `at ADDRESS`, `is VALUE`, or `unknown` and why; of one name perhaps several. */
export function localsInGdb(image: string, places: readonly Place[]): Map<string, readonly string[]>[] {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-locals-'));
  try {
    const paths = places.map((place, index) => {
      const path = join(folder, `${index}.core`);
      writeFileSync(path, core(place));
      return path;
    });
    const [list, script] = [join(folder, 'list'), join(folder, 'script.py')];
    writeFileSync(list, paths.join('\n'));
    writeFileSync(script, SCRIPT.replace('sys.argv_of_mine', JSON.stringify(list)));
    const text = run('gdb', ['-nx', '-batch', '-iex', 'set width 0', image, '-x', script]);
    return text
      .split(/^@@at .*\n/m)
      .slice(1)
      .map(byName);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function byName(lines: string): Map<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [, name = '', what = ''] of lines.matchAll(/^(\w+) (.+)$/gm))
    found.set(name, [...(found.get(name) ?? []), what]);
  return found;
}
