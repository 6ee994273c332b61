import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SerialText, typedBytes } from './serial-text.ts';

const push = (text: SerialText, bytes: Uint8Array) => text.push(Buffer.from(bytes).toString('base64'));

test('a bare line feed gets its carriage return, also when the pair is cut in two', () => {
  const text = new SerialText();
  assert.equal(push(text, Buffer.from('one\ntwo\r')), 'one\r\ntwo\r');
  assert.equal(push(text, Buffer.from('\nthree\n\n')), '\nthree\r\n\r\n');
});

test('however the bytes are cut, the text is the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.array(fc.nat(40)), (line, cuts) => {
      const bytes = Buffer.from(`${line}\n${line}\r\n`);
      const text = new SerialText();
      let shown = '';
      let from = 0;
      for (const cut of [...cuts, bytes.length]) {
        const to = Math.min(bytes.length, from + cut);
        shown += push(text, bytes.subarray(from, to));
        from = to;
      }
      assert.equal(shown, push(new SerialText(), bytes));
      assert.doesNotMatch(shown, /(?<!\r)\n/);
    }),
  );
});

test('typed text travels as UTF-8', () => {
  assert.equal(typedBytes('é\r'), Buffer.from([0xc3, 0xa9, 0x0d]).toString('base64'));
});
