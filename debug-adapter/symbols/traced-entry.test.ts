import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { compileProgram } from '../expressions/test-program.ts';
import { openSymbols } from './symbols.ts';

const SOURCE = `
__asm__(".globl __fentry__\\n__fentry__: ret");
__attribute__((no_instrument_function)) void other(void) { }
void traced(void) { other(); }
__attribute__((naked, no_instrument_function)) void calls(void) { __asm__("call other; ret"); }
__attribute__((no_instrument_function)) void main(void) { traced(); calls(); }
`;

describe('the tracer’s call that functions begin with', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-traced-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const protection of ['none', 'branch']) {
    test(`is told from others, with -fcf-protection=${protection}`, async () => {
      const flags = ['-g', '-O1', '-pg', '-mfentry', `-fcf-protection=${protection}`, '-no-pie', '-fno-pie'];
      const program = compileProgram(folder, SOURCE, ['gcc', ...flags]);
      const symbols = await openSymbols(program);
      const past = (name: string) => {
        const [{ address } = assert.fail(name)] = symbols.symbolsNamed(name);
        return symbols.pastTracer(address) - address;
      };
      const code = execFileSync('objdump', ['-d', '--disassemble=traced', program], { encoding: 'utf8' });
      const [, start = ''] = /^([0-9a-f]+) <traced>:$/m.exec(code) ?? assert.fail(code);
      const [, end = ''] = /call .*<__fentry__>\n *([0-9a-f]+):/.exec(code) ?? assert.fail(code);
      assert.equal(past('traced'), BigInt(`0x${end}`) - BigInt(`0x${start}`));
      assert.deepEqual(['other', 'calls', 'main'].map(past), [0n, 0n, 0n]);
      symbols.close();
    });
  }
});
