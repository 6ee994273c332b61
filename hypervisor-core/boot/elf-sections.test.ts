/** Section headers that multiboot kernels get, checked against readelf. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { boot } from './boot.ts';
import type { BootImage } from './boot-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-sections-'));
after(() => rmSync(folder, { recursive: true }));

/** A kernel with both multiboot headers and debug information. */
function link(bits: 32 | 64): string {
  const path = (extension: string) => join(folder, `kernel${bits}.${extension}`);
  const header2 = '.balign 8\nh: .long 0xe85250d6, 0, 24, -(0xe85250d6 + 24)\n.short 0, 0\n.long 8\n';
  writeFileSync(
    path('S'),
    `.long 0x1badb002, 0, -0x1badb002\n${header2}.globl _start\n_start: hlt\nfunction_name: hlt\n`,
  );
  execFileSync('gcc', [`-m${bits}`, '-g', '-c', path('S'), '-o', path('o')]);
  const emulation = bits === 64 ? 'elf_x86_64' : 'elf_i386';
  execFileSync('ld', ['-m', emulation, '-z', 'max-page-size=4096', '-Ttext=0x100000', path('o'), '-o', path('elf')]);
  return path('elf');
}

/** Name, type, address and size of each section as readelf shows them. */
function readelf(path: string) {
  const text = execFileSync('readelf', ['-SW', path], { encoding: 'utf8' });
  return [...text.matchAll(/^ {2}\[ *\d+\] (\S*) +([A-Z_]+) +(\S+) (\S+) (\S+)/gm)].map(
    ([, name = '', type = '', address, offset, size]) => ({
      name,
      type,
      address: Number(`0x${address}`),
      offset: Number(`0x${offset}`),
      size: Number(`0x${size}`),
    }),
  );
}

interface Given {
  readonly headers: DataView;
  readonly count: number;
  readonly entrySize: number;
  readonly names: number;
}

const information = ({ segments, cpu }: BootImage) =>
  segments.find(({ gpa }) => gpa === cpu.general.rbx)?.bytes ?? assert.fail('no information');
const viewOf = (bytes: Uint8Array, from = 0) => new DataView(bytes.buffer, bytes.byteOffset + from);

function fromMultiboot1(image: BootImage): Given {
  const bytes = information(image);
  const view = viewOf(bytes);
  assert.ok(view.getUint32(0, true) & 0x20);
  const headers = viewOf(bytes, view.getUint32(36, true) - Number(image.cpu.general.rbx));
  return {
    headers,
    count: view.getUint32(28, true),
    entrySize: view.getUint32(32, true),
    names: view.getUint32(40, true),
  };
}

function fromMultiboot2(image: BootImage): Given {
  const bytes = information(image);
  const view = viewOf(bytes);
  for (let at = 8; view.getUint32(at, true) !== 0; at += (view.getUint32(at + 4, true) + 7) & ~7) {
    if (view.getUint32(at, true) !== 9) continue;
    const [count, entrySize, names] = [8, 12, 16].map((offset) => view.getUint32(at + offset, true));
    return { headers: viewOf(bytes, at + 20), count: count ?? 0, entrySize: entrySize ?? 0, names: names ?? 0 };
  }
  return assert.fail('no tag 9');
}

describe('a multiboot kernel finds its own symbols', () => {
  for (const bits of [32, 64] as const) {
    for (const [protocol, read] of [
      ['multiboot1', fromMultiboot1],
      ['multiboot2', fromMultiboot2],
    ] as const) {
      test(`${protocol}, ELF${bits}`, () => {
        const path = link(bits);
        const file = readFileSync(path);
        const ram = [{ start: 0n, end: 0x400_0000n }];
        const image = boot({ name: 'kernel', file, commandLine: '', ram, protocol });
        const { headers, count, entrySize, names } = read(image);
        const expected = readelf(path);
        assert.equal(count, expected.length);
        assert.equal(expected[names]?.name, '.shstrtab');
        const place = bits === 64 ? 16 : 12;
        for (const [index, { name, type, address, offset, size }] of expected.entries()) {
          const given = headers.getUint32(index * entrySize + place, true);
          const placed = image.segments.find(({ gpa }) => gpa === BigInt(given));
          if (address !== 0 || !['SYMTAB', 'STRTAB'].includes(type)) assert.equal(given, address, name);
          else assert.deepEqual(Buffer.from(placed?.bytes ?? []), file.subarray(offset, offset + size), name);
        }
        assert.ok(expected.some(({ type }) => type === 'SYMTAB'));
      });
    }
  }

  test('a damaged section table costs the table, not the boot', () => {
    const file = readFileSync(link(32));
    file.writeUInt32LE(0xffff_fff0, 32);
    const ram = [{ start: 0n, end: 0x400_0000n }];
    const image = boot({ name: 'kernel', file, commandLine: '', ram, protocol: 'multiboot1' });
    assert.equal(viewOf(information(image)).getUint32(0, true) & 0x20, 0);
  });
});
