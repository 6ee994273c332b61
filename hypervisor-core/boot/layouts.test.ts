import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BOOT_PARAMS_OFFSET, BOOT_PARAMS_SIZE } from './linux-info.ts';
import { PVH_OFFSET, PVH_SIZE } from './pvh-info.ts';

/** What a compiler with these headers says of the expressions. */
function ask(includes: string, expressions: readonly string[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-layouts-'));
  try {
    const program = join(folder, 'print');
    const lines = expressions.map((expression) => `printf("%lu\\n", (unsigned long)(${expression}));`);
    const source = `#include <stdio.h>\n#include <stddef.h>\n#include <stdint.h>\n${includes}\nint main(void) {\n${lines.join('\n')}\nreturn 0; }\n`;
    execFileSync('gcc', ['-x', 'c', '-o', program, '-'], { input: source });
    return execFileSync(program, { encoding: 'utf8' }).trim().split('\n').map(Number);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const hasCompiler = spawnSync('gcc', ['--version']).status === 0;
const without = (header: string) => (!hasCompiler ? 'no gcc here' : !existsSync(header) && `${header} is not here`);
const XEN = '/usr/include/xen/arch-x86/hvm/start_info.h';
const BOOTPARAM = '/usr/include/x86_64-linux-gnu/asm/bootparam.h';

test('struct boot_params is what the kernel headers say', { skip: without(BOOTPARAM) }, () => {
  const fields = Object.keys(BOOT_PARAMS_OFFSET);
  const offsets = fields.map((field) => `offsetof(struct boot_params, ${field})`);
  const printed = ask('#include <asm/bootparam.h>', [...offsets, 'sizeof(struct boot_params)']);
  assert.deepEqual([...Object.values(BOOT_PARAMS_OFFSET), BOOT_PARAMS_SIZE], printed);
});

test('struct hvm_start_info and its lists are what the headers of Xen say', { skip: without(XEN) }, () => {
  const structs = Object.entries(PVH_OFFSET);
  const offsets = structs.flatMap(([struct, fields]) =>
    Object.keys(fields).map((field) => `offsetof(struct ${struct}, ${field})`),
  );
  const sizes = Object.keys(PVH_SIZE).map((struct) => `sizeof(struct ${struct})`);
  const ours = [...structs.flatMap(([, fields]) => Object.values(fields)), ...Object.values(PVH_SIZE)];
  const headers = '#include <xen/xen.h>\n#include <xen/arch-x86/hvm/start_info.h>';
  assert.deepEqual(ours, ask(headers, [...offsets, ...sizes]));
});
