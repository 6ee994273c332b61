import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { VCPU_EVENTS } from '../interrupts/vcpu-events.ts';
import { KVM, OFFSET, SIZE } from './abi.ts';

const offsetsOf = { ...OFFSET, kvm_vcpu_events: VCPU_EVENTS };

/** A C program that prints what the installed headers say, one `NAME VALUE` a line. */
function generator(): string {
  const print = (name: string, expression: string) =>
    `printf("%s %lu\\n", "${name}", (unsigned long)(unsigned)(${expression}));`;
  const lines = [
    ...Object.keys(KVM).map((name) => print(name, `KVM_${name}`)),
    ...Object.keys(SIZE).map((name) => print(name, `sizeof(struct ${name})`)),
    ...Object.entries(offsetsOf).flatMap(([struct, fields]) =>
      Object.keys(fields).map((field) => print(`${struct}.${field}`, `__builtin_offsetof(struct ${struct}, ${field})`)),
    ),
  ];
  return `#include <stdio.h>\n#include <linux/kvm.h>\nint main(void) {\n${lines.join('\n')}\nreturn 0; }\n`;
}

const hasCompiler = spawnSync('gcc', ['--version']).status === 0;

test('every number of the ABI is what the kernel headers say', { skip: !hasCompiler && 'no gcc here' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-abi-'));
  try {
    const program = join(folder, 'print');
    execFileSync('gcc', ['-x', 'c', '-o', program, '-'], { input: generator() });
    const printed = Object.fromEntries(
      execFileSync(program, { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map((line) => line.split(' '))
        .map(([name, value]) => [name, Number(value)]),
    );
    const offsets = Object.entries(offsetsOf).flatMap(([struct, fields]) =>
      Object.entries(fields).map(([field, value]) => [`${struct}.${field}`, value]),
    );
    assert.deepEqual({ ...KVM, ...SIZE, ...Object.fromEntries(offsets) }, printed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
