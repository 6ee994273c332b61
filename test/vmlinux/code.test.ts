import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decoderFor } from '../../debug-adapter/session/instruction-decoder.ts';
import { ElfFile } from '../../debug-adapter/symbols/elf.ts';
import { breakpointAddresses } from '../../debug-adapter/symbols/fixtures/toolchain.ts';
import { type OpenSymbols, openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { isPadding, run, sampleFunctions, vmlinux } from './vmlinux.ts';

const functions = sampleFunctions(vmlinux, 2000).filter(({ name }) => !isPadding(name));
let symbols: OpenSymbols;

before(async () => {
  symbols = await openSymbols(vmlinux);
  await symbols.indexed;
});
after(() => symbols.close());

/** Lengths of the instructions of some code, of which each piece begins anew, as objdump has them. */
function lengthsInObjdump(code: Uint8Array): Map<number, number> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-code-'));
  try {
    const path = join(folder, 'code');
    writeFileSync(path, code);
    const text = run('objdump', ['-D', '-b', 'binary', '-m', 'i386:x86-64', '-w', path]);
    const lines = text.matchAll(/^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+)/gm);
    return new Map(
      [...lines].map(([, at, bytes = '']) => [Number.parseInt(at ?? '', 16), bytes.trim().split(' ').length]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('code of 2,000 functions of a kernel', () => {
  test('has its instructions where objdump has them', async () => {
    const image = ElfFile.open(vmlinux);
    const pieces = functions.map(({ address, size }) => image.load(address, Number(size)));
    image.close();
    const theirs = lengthsInObjdump(Buffer.concat(pieces));
    const differences: string[] = [];
    let [start, count] = [0, 0];
    for (const [index, code] of pieces.entries()) {
      const { address, name } = functions[index] ?? assert.fail();
      const decoder = await decoderFor(code, address, 64, 'intel', 0n);
      for (let at = 0; at < code.length; count++) {
        const { length } = decoder.boundaryAt(at);
        if (theirs.get(start + at) !== length) {
          differences.push(`${name}+0x${at.toString(16)}: ${length}, not ${theirs.get(start + at)}`);
          break;
        }
        at += length;
      }
      decoder.dispose();
      start += code.length;
    }
    assert.deepEqual(differences, []);
    assert.ok(count > 50_000, `${count} instructions`);
  });

  test('has its lines where gdb has them', async () => {
    const lines = new Set<string>();
    for (const { address, size } of functions.slice(0, 250)) {
      const line = symbols.lineAt(address + (2n * size) / 3n);
      if (line?.file.endsWith('.c') && line.line > 0) lines.add(`${line.file}:${line.line}`);
    }
    const asked = [...lines];
    const theirs = breakpointAddresses(vmlinux, asked);
    const differences: string[] = [];
    let inlined = 0;
    for (const [index, what] of asked.entries()) {
      const [, file = '', line = ''] = /^(.*):(\d+)$/.exec(what) ?? [];
      const places = await symbols.placesFor(file, Number(line));
      const [ours, gdbs] = [places.map(({ address }) => address), theirs[index] ?? []].map(
        (addresses) => `${addresses.map((address) => `0x${address.toString(16)}`).sort()}`,
      );
      if (ours === gdbs) continue;
      // Where a line has nothing but what was inlined from another file, gdb takes a later one, and we the beginning of that.
      if (places.some((place) => place.line.file !== file)) inlined++;
      else differences.push(`${what}: ${ours}, not ${gdbs}`);
    }
    assert.ok(inlined < asked.length / 10, `${inlined} of ${asked.length}`);
    assert.ok(asked.length > 100, `${asked.length} lines`);
    assert.deepEqual(differences, []);
  });
});
