import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disassemblyText } from './disassembly-text.ts';

test('names are above what they begin, and what is not mapped is left out', () => {
  const location = { name: 'boot.S', path: '/src/boot.S' };
  assert.equal(
    disassemblyText([
      { address: '0xfff', instruction: '??', presentationHint: 'invalid' },
      { address: '0x1000', instructionBytes: 'f4', instruction: 'hlt', symbol: 'idle+4', location, line: 7 },
      { address: '0x1001', instructionBytes: 'eb fd', instruction: 'jmp 0x1000', symbol: 'idle+5' },
      { address: '0xffffffff80000000', instructionBytes: '90', instruction: 'nop', symbol: 'next' },
      { address: '0xffffffff80000001', instruction: '(bad)' },
    ]),
    [
      'idle+4:',
      '; boot.S:7',
      '0000000000001000  f4                        hlt',
      '0000000000001001  eb fd                     jmp 0x1000',
      'next:',
      'ffffffff80000000  90                        nop',
      'ffffffff80000001                            (bad)',
      '',
    ].join('\n'),
  );
});
