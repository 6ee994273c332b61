/** Protocol choice, errors, and hostile headers of everything but ELF64 and multiboot 1, which boot.test.ts has. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { BOOT_PROTOCOLS, type BootProtocol } from '../protocol/boot-choice.ts';
import { boot } from './boot.ts';
import { BootError, type BootRequest } from './boot-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-protocols-'));
after(() => rmSync(folder, { recursive: true }));

const ram = [
  { start: 0n, end: 0x1000_0000n },
  { start: 0x1_0000_0000n, end: 0x1_1000_0000n },
];
const request = (file: Uint8Array, more: Partial<BootRequest> = {}): BootRequest => ({
  name: 'kernel',
  file,
  commandLine: 'quiet',
  ram,
  ...more,
});
const refused = (file: Uint8Array, message: RegExp, more?: Partial<BootRequest>) =>
  assert.throws(
    () => boot(request(file, more)),
    (error: unknown) => error instanceof BootError && message.test(error.message) && error.remedy.length > 10,
    String(message),
  );

/** Links assembly at 1 MiB with the real tools. */
function link(name: string, bits: 32 | 64, assembly: string): Buffer {
  const path = (extension: string) => join(folder, `${name}.${extension}`);
  writeFileSync(path('S'), assembly);
  writeFileSync(
    path('ld'),
    `ENTRY(_start) PHDRS { load PT_LOAD FLAGS(7); note PT_NOTE FLAGS(4); }
     SECTIONS { . = 0x100000; .text : { *(.multiboot) *(.text) *(.data) } :load .notes : { *(.note.start) } :load :note
       /DISCARD/ : { *(.note.gnu*) } }`,
  );
  execFileSync('gcc', [`-m${bits}`, '-c', path('S'), '-o', path('o')]);
  execFileSync('ld', [
    '--no-warn-rwx-segments',
    '-m',
    bits === 64 ? 'elf_x86_64' : 'elf_i386',
    '-T',
    path('ld'),
    path('o'),
    '-o',
    path('elf'),
  ]);
  return readFileSync(path('elf'));
}

const code = '.text\n.globl _start\n_start: hlt\njmp _start\nentry32: hlt\n';
const note = (owner: string, type: number, descriptor: string) =>
  `.section .note.start, "a", @note\n.balign 4\n.long 2f - 1f, 4f - 3f, ${type}\n1: .asciz "${owner}"\n2: .balign 4\n3: ${descriptor}\n4: .balign 4\n`;
const header2 = (
  tags: string,
) => `.section .multiboot, "a"\n.balign 8\nh: .long 0xe85250d6, 0, e - h, -(0xe85250d6 + (e - h))
${tags}\n.balign 8\n.short 0, 0\n.long 8\ne:\n`;
const header1 = '.section .multiboot, "a"\n.long 0x1badb002, 0, -0x1badb002\n';

const bzImage = () => {
  const file = Buffer.alloc(0x1000, 0x90);
  file.fill(0, 0x1f1, 0x268);
  file.writeUInt8(1, 0x1f1);
  file.writeUInt16LE(0xaa55, 0x1fe);
  file.writeUInt16LE(0x66eb, 0x200);
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(0x20f, 0x206);
  file.writeUInt32LE(0x7ff_ffff, 0x22c);
  file.writeUInt16LE(1, 0x236);
  file.writeUInt32LE(255, 0x238);
  file.writeBigUInt64LE(0x100_0000n, 0x258);
  file.writeUInt32LE(0x200_0000, 0x260);
  return file;
};
const sector = Buffer.alloc(512, 0x90);
sector.writeUInt16LE(0xaa55, 510);

const kernels: readonly (readonly [string, Buffer, BootProtocol])[] = [
  ['elf32', link('elf32', 32, code), 'elf32'],
  ['elf64', link('elf64', 64, code), 'elf64'],
  ['multiboot 1 in ELF32', link('mb1', 32, header1 + code), 'multiboot1'],
  ['multiboot 2 in ELF32', link('mb2', 32, header2('') + code), 'multiboot2'],
  ['multiboot 2 in ELF64', link('mb2-64', 64, header2('.short 1, 0\n.long 16, 1, 6') + code), 'multiboot2'],
  ['multiboot 2 beside multiboot 1', link('both', 32, header1 + header2('') + code), 'multiboot2'],
  [
    'ELF64 with an entry of its own for multiboot 2',
    link('mb2-own', 64, header2('.short 3, 0\n.long 12, entry32') + code),
    'elf64',
  ],
  ['PVH in ELF64', link('pvh64', 64, code + note('Xen', 18, '.quad entry32')), 'pvh'],
  ['PVH in ELF32', link('pvh32', 32, code + note('Xen', 18, '.long entry32')), 'pvh'],
  [
    'vmlinux with PVH',
    link('vmlinux', 64, code + note('Xen', 18, '.quad entry32') + note('Xen', 6, '.asciz "linux"')),
    'linux',
  ],
  ['vmlinux without', link('plain', 64, code + note('Linux', 0x100, '.asciz "salt"')), 'linux'],
  ['bzImage', bzImage(), 'linux'],
  ['boot sector', sector, 'sector'],
  ['disk image', Buffer.concat([sector, Buffer.alloc(1024)]), 'sector'],
];
const kernel = (wanted: string) => kernels.find(([name]) => name === wanted)?.[1] ?? assert.fail(wanted);

describe('the protocol by content', () => {
  for (const [name, file, protocol] of kernels) {
    test(name, () => assert.equal(boot(request(file)).protocol, protocol));
  }

  test('is told in the last word', () => {
    const vmlinux = kernel('vmlinux with PVH');
    const entry = boot(request(vmlinux, { protocol: 'linux' })).cpu;
    const pvh = boot(request(vmlinux, { protocol: 'pvh' })).cpu;
    assert.equal(entry.mode, 'long');
    assert.equal(pvh.mode, 'protected32');
    assert.equal(pvh.general.rip, entry.general.rip + 3n);
    assert.equal(boot(request(vmlinux, { protocol: 'flat64' })).cpu.general.rip, 0x10_0000n);
  });
});

test('a bzImage gets its header back, and its initrd below the limit that it names', () => {
  const file = bzImage();
  const initrd = { name: 'initrd', file: Buffer.alloc(0x1234, 7) };
  const image = boot(request(file, { initrd, commandLine: 'x'.repeat(255) }));
  const bytesAt = (gpa: bigint) => image.segments.find((segment) => segment.gpa === gpa)?.bytes;
  const page = Buffer.from(bytesAt(image.cpu.general.rsi ?? 0n) ?? []);
  assert.deepEqual(page.subarray(0x1f1, 0x210), file.subarray(0x1f1, 0x210));
  assert.deepEqual(page.subarray(0x22c, 0x264), file.subarray(0x22c, 0x264));
  assert.equal(page[0x210], 0xff);
  const start = page.readUInt32LE(0x218);
  assert.ok(start + 0x1234 <= 0x800_0000 && start >= 0x300_0000);
  assert.deepEqual(bytesAt(BigInt(start)), initrd.file);
  const entries = Array.from({ length: page[0x1e8] ?? 0 }, (_, index) => page.readBigUInt64LE(0x2d0 + index * 20));
  assert.deepEqual(entries.at(-1), 0x1_0000_0000n);
  assert.equal(image.cpu.general.rip, 0x100_0200n);
  file.writeUInt16LE(0, 0x236);
  assert.deepEqual(boot(request(file)).cpu.mode, 'protected32');
  assert.deepEqual(boot(request(file)).cpu.general.rip, 0x100_0000n);
});

test('firmware lies below 4 GiB, and its end below 1 MiB, too', () => {
  const KIB = 1024;
  for (const size of [64 * KIB, 128 * KIB, 256 * KIB, 16 * KIB * KIB]) {
    const file = Buffer.alloc(size, 1);
    file[size - 16] = 0xea;
    const { segments, romSize, cpu } = boot(request(file, { protocol: 'firmware' }));
    const low = Math.min(size, 128 * KIB);
    assert.deepEqual(
      segments.map(({ gpa, bytes }) => [gpa, bytes.length, bytes.at(-16)]),
      [
        [0x1_0000_0000n - BigInt(size), size, 0xea],
        [0x10_0000n - BigInt(low), low, 0xea],
      ],
    );
    assert.equal(romSize, size);
    assert.equal(cpu.segments.cs.base + cpu.general.rip, 0xffff_fff0n);
  }
  for (const size of [1, 65_535, 65_537, 16 * KIB * KIB + 65_536]) {
    refused(Buffer.alloc(size, 1), new RegExp(`kernel has ${size} bytes; `), { protocol: 'firmware' });
  }
});

describe('what cannot be', () => {
  const patched = (file: Buffer, change: (copy: Buffer) => void) => {
    const copy = Buffer.from(file);
    change(copy);
    return copy;
  };
  const told = (protocol: BootProtocol) => ({ protocol });

  test('Linux', () => {
    const file = bzImage();
    refused(
      patched(file, (copy) => copy.writeUInt16LE(0x0204, 0x206)),
      /version 2\.4/,
    );
    refused(file.subarray(0, 0x400), /cut short/);
    refused(
      patched(file, (copy) => copy.writeBigUInt64LE(1n << 62n, 0x258)),
      /outside guest memory/,
    );
    refused(
      patched(file, (copy) => copy.writeUInt32LE(0xffff_ffff, 0x260)),
      /outside guest memory/,
    );
    refused(file, /256 characters; this kernel accepts at most 255/, { commandLine: 'x'.repeat(256) });
    refused(file, /no modules beside the initial RAM disk/, {
      modules: ['a', 'b'].map((commandLine) => ({ commandLine, file: sector })),
    });
    refused(
      patched(file, (copy) => copy.writeUInt32LE(0x10_0000, 0x22c)),
      /No room in guest memory for initrd/,
      { initrd: { name: 'i', file: sector } },
    );
    refused(kernel('elf32'), /ELF32 file; only a 64-bit vmlinux/, told('linux'));
    refused(sector, /not an ELF file/, told('linux'));
  });

  test('multiboot 2', () => {
    const tags = (assembly: string) => link('bad', 32, header2(assembly) + code);
    refused(tags('.short 77, 0\n.long 8'), /tag type 77/);
    assert.equal(boot(request(tags('.short 77, 1\n.long 8'))).protocol, 'multiboot2');
    refused(tags('.short 1, 0\n.long 12, 99'), /information of the unknown type 99/);
    refused(tags('.short 3, 0\n.long 8'), /needs 12/);
    refused(tags('.short 5, 0\n.long 4'), /size 4/);
    refused(tags('.short 5, 0\n.long 4000'), /size 4000/);
    refused(tags('.short 2, 0\n.long 24, 0x100000, 0x100000, 0, 0'), /no entry address tag/);
    refused(tags('.short 3, 0\n.long 12, 0x900000'), /in no segment/);
    refused(sector, /no multiboot 2 header/, told('multiboot2'));
  });

  test('the others', () => {
    refused(kernel('elf64'), /no ELF note/, told('pvh'));
    refused(link('far', 32, code + note('Xen', 18, '.long 0x900000')), /0x900000 is in no segment/);
    refused(kernel('elf32'), /cannot be entered in long mode/, told('elf64'));
    refused(sector.subarray(0, 100), /a boot sector has 512/, told('sector'));
    refused(sector, /flat16 reaches up to 0xfffff/, { protocol: 'flat16', address: 0x10_0000n });
    refused(sector, /outside guest memory/, { protocol: 'flat32', address: 0xf000_0000n });
    refused(Buffer.from('hello'), /begins with 68 65 6c 6c/);
    refused(sector, /257 modules/, {
      protocol: 'flat32',
      modules: Array.from({ length: 257 }, () => ({ commandLine: '', file: sector })),
    });
  });
});

test('no header, however damaged, does more than raise a BootError', () => {
  const edit = fc.tuple(fc.nat(0x2ff), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)));
  const protocols = fc.option(fc.constantFrom(...BOOT_PROTOCOLS), { nil: undefined });
  fc.assert(
    fc.property(
      fc.nat(kernels.length - 1),
      fc.array(edit, { maxLength: 8 }),
      // ELF files have their content at 0x1000.
      fc.constantFrom(0, 0, 0x1000),
      protocols,
      fc.option(fc.nat(0x1400), { nil: undefined }),
      (index, edits, base, protocol, end) => {
        const bytes = Buffer.from(kernels[index]?.[1] ?? []).subarray(0, end);
        for (const [at, value] of edits) if (base + at < bytes.length) bytes[base + at] = value;
        try {
          boot(request(bytes, protocol && { protocol }));
        } catch (error) {
          assert.ok(error instanceof BootError, error instanceof Error ? error.stack : String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});
