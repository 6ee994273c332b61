import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { registerBits } from './register-bits.ts';
import { registerFileBytes, registers, registersByName, targetXml } from './target-description.ts';

describe('target description', () => {
  test('numbers and offsets follow one another', () => {
    let offset = 0;
    for (const [index, register] of registers.entries()) {
      assert.equal(register.regnum, index);
      assert.equal(register.offset, offset);
      offset += register.bits / 8;
    }
    assert.equal(offset, registerFileBytes);
    assert.equal(registersByName.size, registers.length, 'names are unique');
  });

  test('every bit table belongs to a register and lies inside it, without overlap', () => {
    for (const [name, fields] of registerBits) {
      const register = registersByName.get(name);
      assert.ok(register, name);
      let next = 0;
      for (const field of fields) {
        assert.ok(field.low >= next, `${name}.${field.name}`);
        assert.ok(field.high >= field.low && field.high < register.bits, `${name}.${field.name}`);
        next = field.high + 1;
      }
    }
  });

  test('gdb reads it and knows every register', { skip: !hasGdb() && 'gdb is not installed' }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-tdesc-'));
    try {
      const file = join(folder, 'target.xml');
      writeFileSync(file, targetXml());
      const gdb = spawnSync(
        'gdb',
        [
          '-batch',
          '-nx',
          '-ex',
          `set tdesc filename ${file}`,
          '-ex',
          'maint print xml-tdesc',
          '-ex',
          'maint print registers',
        ],
        { encoding: 'utf8' },
      );
      assert.equal(gdb.stderr.replace(/^warning: .*auto-load.*$/gm, '').trim(), '');
      for (const { name, bits, regnum } of registers) {
        assert.match(gdb.stdout, new RegExp(`<reg name="${name}" bitsize="${bits}" [^>]*regnum="${regnum}"`), name);
      }
      assert.match(gdb.stdout, /<architecture>i386:x86-64</);
      // Its own numbering has a column only for registers that it found in the description.
      for (const name of ['rip', 'eflags', 'fs_base', 'mxcsr', 'cr3', 'tr_base', 'dr7', 'ymm0h']) {
        assert.match(gdb.stdout, new RegExp(`^ *${name} +\\d+`, 'm'), name);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function hasGdb(): boolean {
  return spawnSync('gdb', ['--version']).status === 0;
}
