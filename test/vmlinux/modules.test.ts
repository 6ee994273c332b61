import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { kernelModule, run, unlikeGdb } from './vmlinux.ts';

const textAt = 0xffff_ffff_c000_0000n;

describe('a kernel module, placed in memory', () => {
  test('symbols as nm has them, and lines as gdb has them', async () => {
    const symbols = await openSymbols(kernelModule, { placed: new Map([['.text', textAt]]) });
    const lines = [
      ...run('objdump', ['-t', '-j', '.text', kernelModule]).matchAll(
        /^([0-9a-f]{16}).* F \.text\t([0-9a-f]{16}) (\S+)$/gm,
      ),
    ];
    assert.ok(lines.length > 20);
    const differences: string[] = [];
    const answers: { address: bigint; line: string; other: string }[] = [];
    for (const [, offset, size, name] of lines) {
      const address = textAt + BigInt(`0x${offset}`);
      const ours = symbols.symbolsNamed(name as string).find((each) => each.address === address);
      if (ours?.size !== BigInt(`0x${size}`)) differences.push(`${name}: ${ours?.address} ${ours?.size}`);
      if (symbols.functionAt(address)?.name !== name?.replace(/\..*/, ''))
        differences.push(`${name} is ${symbols.functionAt(address)?.name}`);
      const line = symbols.lineAt(address);
      answers.push({ address, line: `${line?.file.split('/').at(-1)}:${line?.line}`, other: name as string });
    }
    assert.deepEqual(differences, []);
    assert.deepEqual(unlikeGdb([`add-symbol-file ${kernelModule} 0x${textAt.toString(16)}`], answers), []);
    assert.deepEqual(symbols.problems, []);
    symbols.close();
  });
});
