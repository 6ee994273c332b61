import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { boot } from './boot.ts';
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-boot-'));
after(() => rmSync(folder, { recursive: true }));

const ram = [{ start: 0n, end: 0x1000_0000n }];
const request = (file: Uint8Array, more: Partial<BootRequest> = {}): BootRequest => ({
  name: 'kernel.elf',
  file,
  commandLine: 'console=ttyS0 quiet',
  ram,
  ...more,
});

const source = `
  .section .multiboot, "a"
  .long 0x1badb002, 3, -(0x1badb002 + 3)
  .text
  .globl _start
_start: hlt
  jmp _start
  .section .high, "awx"
  .quad 0x1122334455667788
  .bss
  .space 0x3000
  .section .note.ringside, "a", @note
  .long 9, 4, 1
  .asciz "Ringside"
  .balign 4
  .asciz "xen"
`;

const script = (format: string, high: string) => `
  OUTPUT_FORMAT(${format})
  ENTRY(_start)
  PHDRS { text PT_LOAD FLAGS(5); high PT_LOAD FLAGS(7); bss PT_LOAD FLAGS(6); note PT_NOTE FLAGS(4); }
  SECTIONS {
    .text 0x100000 : { *(.multiboot) *(.text) *(.note.ringside) } :text
    .high ${high} + 0x200000 : AT(0x200000) { *(.high) } :high
    .bss 0x300000 : { *(.bss) } :bss
    .note 0x400000 : AT(0x101000) { LONG(9) LONG(4) LONG(1) BYTE(0x52) BYTE(0x69) BYTE(0x6e) BYTE(0x67) BYTE(0x73)
      BYTE(0x69) BYTE(0x64) BYTE(0x65) LONG(0) BYTE(0x78) BYTE(0x65) BYTE(0x6e) BYTE(0) } :text :note
    /DISCARD/ : { *(.note.gnu.*) *(.data) }
  }
`;

/** Assembles and links with the real tools. */
function link(bits: 32 | 64): string {
  const path = (extension: string) => join(folder, `kernel${bits}.${extension}`);
  writeFileSync(path('S'), source);
  writeFileSync(
    path('ld'),
    script(bits === 64 ? 'elf64-x86-64' : 'elf32-i386', bits === 64 ? '0xffffffff80000000' : '0'),
  );
  execFileSync('gcc', [`-m${bits}`, '-c', path('S'), '-o', path('o')]);
  execFileSync('ld', ['-m', bits === 64 ? 'elf_x86_64' : 'elf_i386', '-T', path('ld'), path('o'), '-o', path('elf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return path('elf');
}

const elf64 = link(64);
const elf32 = link(32);

/** LOAD lines of `readelf -lW`: physical address, size in file and memory. */
function readelfLoads(path: string): { paddr: bigint; fileSize: bigint; memorySize: bigint }[] {
  const text = execFileSync('readelf', ['-lW', path], { encoding: 'utf8' });
  return [...text.matchAll(/^ {2}LOAD +\S+ \S+ (\S+) (\S+) (\S+)/gm)].map((match) => ({
    paddr: BigInt(match[1] ?? ''),
    fileSize: BigInt(match[2] ?? ''),
    memorySize: BigInt(match[3] ?? ''),
  }));
}

/** Guest memory after loading, up to 4 MiB. */
function load(image: BootImage): Buffer {
  const memory = Buffer.alloc(0x40_0000, 0xee);
  for (const { start, end } of image.zeroed) memory.fill(0, Number(start), Number(end));
  for (const { gpa, bytes } of image.segments) if (gpa < 0x40_0000n) memory.set(bytes, Number(gpa));
  return memory;
}

/** An independent 4-level walk. */
function walk(memory: Buffer, cr3: bigint, address: bigint): bigint | undefined {
  let table = cr3;
  for (const shift of [39n, 30n, 21n, 12n]) {
    const entry = memory.readBigUInt64LE(Number(table + ((address >> shift) & 511n) * 8n));
    if (!(entry & 1n)) return undefined;
    table = entry & 0xf_ffff_ffff_f000n;
    if (shift === 12n || (shift === 21n && entry & 0x80n)) {
      const inside = (1n << shift) - 1n;
      return (table & ~inside) | (address & inside);
    }
  }
  return undefined;
}

const rejects = (file: Uint8Array, message: RegExp, more?: Partial<BootRequest>) =>
  assert.throws(
    () => boot(request(file, more)),
    (error: unknown) => error instanceof BootError && message.test(error.message) && error.remedy.length > 10,
  );

describe('ELF64', () => {
  const file = readFileSync(elf64);
  const initrd = { name: 'initrd.img', file: Uint8Array.of(1, 2, 3) };
  const image = boot(request(file, { protocol: 'elf64', initrd }));

  test('places the segments where readelf says', () => {
    const expected = readelfLoads(elf64);
    assert.equal(expected.length, 3);
    const memory = load(image);
    for (const { paddr, fileSize, memorySize } of expected) {
      const segment = image.segments.find(({ gpa, bytes }) => gpa === paddr && BigInt(bytes.length) === fileSize);
      if (fileSize > 0n) assert.ok(segment, `segment at 0x${paddr.toString(16)}`);
      const bss = memory.subarray(Number(paddr + fileSize), Number(paddr + memorySize));
      assert.ok(bss.every((byte) => byte === 0));
    }
    assert.equal(memory.readBigUInt64LE(0x200000), 0x1122334455667788n);
  });

  test('starts in long mode at the entry point that readelf shows', () => {
    const entry = /Entry point address: +(\S+)/.exec(execFileSync('readelf', ['-h', elf64], { encoding: 'utf8' }));
    assert.equal(image.cpu.general.rip, BigInt(entry?.[1] ?? ''));
    assert.equal(image.cpu.mode, 'long');
    assert.equal(image.cpu.segments.cs.l, 1);
    assert.equal(image.cpu.general.rflags, 2n);
  });

  test('maps memory to itself and the higher half to where it is loaded', () => {
    const memory = load(image);
    for (const address of [0n, 0x10_0000n, 0xfee0_0000n, 0xffff_ffffn]) {
      assert.equal(walk(memory, image.cpu.cr3, address), address);
    }
    assert.equal(walk(memory, image.cpu.cr3, 0x1_0000_0000n), undefined);
    assert.equal(walk(memory, image.cpu.cr3, 0xffff_ffff_8020_0004n), 0x20_0004n);
    assert.equal(walk(memory, image.cpu.cr3, 0xffff_ffff_8050_0000n), undefined);
  });

  test('backs CS with the descriptor table in memory, and gives a stack', () => {
    const memory = load(image);
    const at = Number(image.cpu.gdt.base) + image.cpu.segments.cs.selector;
    assert.equal(memory.readBigUInt64LE(at), 0x00af_9b00_0000_ffffn);
    assert.equal(image.cpu.general.rsp % 16n, 0n);
    const stack = { start: image.cpu.general.rsp - 4096n, end: image.cpu.general.rsp };
    for (const { gpa, bytes } of image.segments) {
      assert.ok(gpa >= stack.end || gpa + BigInt(bytes.length) <= stack.start);
    }
  });

  test('hands over command line, memory map and initial RAM disk', () => {
    const memory = load(image);
    const string = (at: number) => memory.toString('latin1', at, memory.indexOf(0, at));
    assert.equal(string(Number(image.cpu.general.rdi)), 'console=ttyS0 quiet');
    const info = Number(image.cpu.general.rsi);
    const word = (offset: number) => memory.readUInt32LE(info + offset);
    assert.equal(word(0), 0x24d);
    assert.equal(word(8), 255 * 1024);
    assert.equal(word(20), 1);
    const module = word(24);
    const start = memory.readUInt32LE(module);
    assert.equal(memory.readUInt32LE(module + 4) - start, 3);
    assert.ok(image.segments.some(({ gpa, bytes }) => gpa === BigInt(start) && bytes[2] === 3));
    assert.equal(string(memory.readUInt32LE(module + 8)), 'initrd.img');
    const entries = Array.from({ length: word(44) / 24 }, (_, index) => {
      const at = word(48) + index * 24;
      return {
        base: memory.readBigUInt64LE(at + 4),
        length: memory.readBigUInt64LE(at + 12),
        type: memory.readUInt32LE(at + 20),
      };
    });
    assert.equal(
      entries.reduce((sum, entry) => sum + entry.length, 0n),
      0x1000_0000n,
    );
    assert.deepEqual(entries.at(-1), { base: 0x10_0000n, length: 0xff0_0000n, type: 1 });
    const tables = entries.find(({ base, length }) => image.cpu.cr3 >= base && image.cpu.cr3 < base + length);
    assert.equal(tables?.type, 2);
  });

  test('reads the wish for a hypercall interface from the note', () => assert.equal(image.personality, 'xen'));

  test('goes to multiboot when told, and by content when the header leaves the entry point to ELF', () => {
    for (const protocol of [{ protocol: 'multiboot1' }, {}] as const) {
      const told = boot(request(file, protocol));
      assert.equal(told.protocol, 'multiboot1');
      assert.equal(told.cpu.general.rip, image.cpu.general.rip);
    }
  });
});

describe('multiboot 1', () => {
  test('loads ELF32 and enters protected mode', () => {
    const image = boot(request(readFileSync(elf32)));
    const memory = load(image);
    assert.equal(image.protocol, 'multiboot1');
    assert.equal(image.cpu.cr0, 0x11n);
    assert.equal(image.cpu.general.rax, 0x2badb002n);
    const commandLine = memory.readUInt32LE(Number(image.cpu.general.rbx) + 16);
    assert.equal(memory.toString('latin1', commandLine, commandLine + 13), 'console=ttyS0');
    for (const { paddr, fileSize } of readelfLoads(elf32)) {
      if (fileSize > 0n) assert.ok(image.segments.some(({ gpa }) => gpa === paddr));
    }
  });

  /** A flat kernel with a header at offset 16 that loads from offset 0 to 0x10_0000. */
  const flat = (
    fields: Partial<Record<'headerAddress' | 'load' | 'loadEnd' | 'bssEnd' | 'entry' | 'flags', number>>,
  ) => {
    const bytes = Buffer.alloc(256, 0x90);
    const flags = fields.flags ?? 0x1_0000;
    const words = [
      0x1badb002,
      flags,
      -(0x1badb002 + flags) >>> 0,
      fields.headerAddress ?? 0x10_0010,
      fields.load ?? 0x10_0000,
      fields.loadEnd ?? 0x10_0080,
      fields.bssEnd ?? 0x10_2000,
      fields.entry ?? 0x10_0040,
    ];
    for (const [index, word] of words.entries()) bytes.writeUInt32LE(word, 16 + index * 4);
    return bytes;
  };

  test('loads by address fields', () => {
    const image = boot(request(flat({})));
    assert.equal(image.cpu.general.rip, 0x10_0040n);
    assert.equal(image.segments[0]?.bytes.length, 0x80);
    assert.deepEqual(
      image.zeroed.map(({ start, end }) => [start, end]),
      [[0x10_0080n, 0x10_2000n]],
    );
    assert.equal(boot(request(flat({ loadEnd: 0, bssEnd: 0 }))).segments[0]?.bytes.length, 256);
  });

  test('refuses a header that contradicts the file', () => {
    rejects(flat({ headerAddress: 0x10_0020 }), /before the file/);
    rejects(flat({ loadEnd: 0x20_0000 }), /cut short/);
    rejects(flat({ loadEnd: 0x0f_0000 }), /load_end_addr/);
    rejects(flat({ entry: 0x20_0000 }), /entry_addr/);
    rejects(flat({ bssEnd: 0x10_0001 }), /bss_end_addr/);
    rejects(flat({ bssEnd: 0xffff_f000 }), /outside guest memory/);
    rejects(flat({ flags: 0x1_0008 }), /flags 0x8/);
    rejects(flat({ flags: 0 }), /no address fields/);
  });
});

describe('files that cannot be booted', () => {
  const file = readFileSync(elf64);
  const long = { protocol: 'elf64' } as const;
  const patched = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(file);
    change(bytes);
    return bytes;
  };
  const headerAt = (index: number) => Number(file.readBigUInt64LE(32)) + index * 56;

  test('say what is wrong', () => {
    rejects(new Uint8Array(), /is empty/);
    rejects(Buffer.from('MZ\x90\0 and more', 'latin1'), /begins with 4d 5a 90 00/);
    rejects(file.subarray(0, 40), /cut short: the ELF header/);
    rejects(file.subarray(0, 100), /cut short: the program headers/);
    rejects(file.subarray(0, 0x1004), /cut short: segment 0/);
    rejects(
      patched((bytes) => bytes.writeUInt16LE(183, 18)),
      /AArch64/,
    );
    rejects(
      patched((bytes) => bytes.writeUInt8(2, 5)),
      /big-endian/,
    );
    rejects(
      patched((bytes) => bytes.writeUInt16LE(1, 16)),
      /relocatable/,
    );
    rejects(
      patched((bytes) => bytes.writeUInt16LE(3, 16)),
      /position-independent/,
    );
    rejects(
      patched((bytes) => bytes.writeBigUInt64LE(0x1000_0000n, headerAt(0) + 24)),
      /outside guest memory/,
    );
    rejects(
      patched((bytes) => bytes.writeBigUInt64LE(0x10_0000n, headerAt(1) + 24)),
      /overlaps ELF segment 0/,
    );
    rejects(
      patched((bytes) => bytes.writeBigUInt64LE(0xdead_0000n, 24)),
      /in no loaded segment/,
      long,
    );
    rejects(
      patched((bytes) => bytes.writeBigUInt64LE(0x9000_0000_0000n, headerAt(1) + 16)),
      /not canonical/,
      long,
    );
    rejects(
      patched((bytes) => bytes.writeUInt16LE(0xffff, 56)),
      /program headers/,
    );
    rejects(file, /command line/, { commandLine: 'x'.repeat(100_000) });
  });

  test('never crash the loader, whatever the bytes are', () => {
    const seeds = [file, readFileSync(elf32)];
    const edit = fc.tuple(fc.nat(511), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff));
    fc.assert(
      fc.property(fc.nat(1), fc.array(edit, { minLength: 1, maxLength: 12 }), fc.boolean(), (seed, edits, cut) => {
        const bytes = Buffer.from(seeds[seed]!);
        for (const [at, value] of edits) bytes[at] = value;
        try {
          boot(request(cut ? bytes.subarray(0, edits[0]![0]) : bytes));
        } catch (error) {
          assert.ok(error instanceof BootError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
