import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { type Answer, answer, isPadding, kernelModule, run, unlikeElfutils, unlikeGdb } from './vmlinux.ts';

const textAt = 0xffff_ffff_c000_0000n;

describe('a kernel module, placed in memory', () => {
  test('symbols as nm has them, and lines as elfutils or gdb has them', async () => {
    const symbols = await openSymbols(kernelModule, { placed: new Map([['.text', textAt]]) });
    const lines = [
      ...run('objdump', ['-t', '-j', '.text', kernelModule]).matchAll(
        /^([0-9a-f]{16}).* F \.text\t([0-9a-f]{16}) (\S+)$/gm,
      ),
    ];
    assert.ok(lines.length > 20);
    const differences: string[] = [];
    const answers: Answer[] = [];
    for (const [, offset, size, name] of lines) {
      const address = textAt + BigInt(`0x${offset}`);
      const ours = symbols.symbolsNamed(name as string).find((each) => each.address === address);
      if (ours?.size !== BigInt(`0x${size}`)) differences.push(`${name}: ${ours?.address} ${ours?.size}`);
      const wanted = isPadding(name as string) ? undefined : name?.replace(/\..*/, '');
      if (symbols.functionAt(address)?.name !== wanted)
        differences.push(`${name} is ${symbols.functionAt(address)?.name}`);
      answers.push(answer(symbols, address));
    }
    assert.deepEqual(differences, []);
    // gdb takes the lines of all sections to be of the first, where some hide others.
    const unlike = unlikeElfutils(['-e', kernelModule, '-j', '.text'], answers, textAt);
    assert.ok(unlike.length < answers.length / 2, `${unlike.length} of ${answers.length} differ`);
    assert.deepEqual(unlikeGdb([`add-symbol-file ${kernelModule} 0x${textAt.toString(16)}`], unlike), []);
    assert.deepEqual(symbols.problems, []);
    symbols.close();
  });
});
