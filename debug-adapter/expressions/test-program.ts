/** A C program that is compiled, read and loaded, but does not run, beside what other tools say of it. For tests. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `command` prints; it must succeed. */
export function run(command: string, ...args: readonly string[]): string {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(result.status, 0, `${command}: ${result.stderr}`);
  return result.stdout;
}

/** Compiles `source` without a C library; `compiler` is the command and its first options. The program's path. */
export function compileProgram(folder: string, source: string, [command, ...options]: readonly [string, ...string[]]) {
  const [file, program] = [join(folder, 'program.c'), join(folder, 'program')];
  writeFileSync(file, source);
  const fixed = ['-O0', '-w', '-static', '-nostdlib', '-no-pie', '-e', 'main'];
  run(command, ...options, ...fixed, '-o', program, file);
  return program;
}

/** What a loader would put into memory. */
export function segmentsOf(program: string) {
  const file = readFileSync(program);
  const headers = run('readelf', '-lW', program).matchAll(
    /^ +LOAD +(0x[\da-f]+) (0x[\da-f]+) 0x[\da-f]+ (0x[\da-f]+) (0x[\da-f]+)/gm,
  );
  return [...headers].map(([, offset, address, fileSize, memorySize]) => {
    const bytes = new Uint8Array(Number(memorySize));
    bytes.set(file.subarray(Number(offset), Number(offset) + Number(fileSize)));
    return { address: BigInt(address ?? 0), bytes };
  });
}
