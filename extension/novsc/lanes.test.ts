import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { vectorLanes, x87Number } from './lanes.ts';

/** What Python's struct and the host's long double make of the same bytes. */
function python(script: string, input: string): unknown {
  const run = spawnSync(
    'python3',
    ['-c', `import sys,json,struct,ctypes\ndata=bytes.fromhex(sys.stdin.read())\n${script}`],
    {
      input,
      encoding: 'utf8',
    },
  );
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout);
}

const bytesOf = (value: bigint, size: number) =>
  Array.from({ length: size }, (_, at) =>
    Number((value >> BigInt(8 * at)) & 0xffn)
      .toString(16)
      .padStart(2, '0'),
  ).join('');

describe('lanes', () => {
  const formats = { float: 'f', double: 'd', int8: 'b', int16: 'h', int32: 'i', int64: 'q' };

  for (const bits of [128, 256, 512]) {
    test(`of ${bits} bits are what Python reads`, () => {
      let value = 0n;
      for (let at = 0; at < bits; at += 32)
        value |= BigInt(0x3fc0_0000 + at * 0x1_0101 + (at % 64 ? 0x8000_0000 : 0)) << BigInt(at);
      for (const { name, values } of vectorLanes(bits, value)) {
        const [, count, element] = /^v(\d+)_(\w+)$/.exec(name) ?? [];
        const format = `<${count}${formats[element as keyof typeof formats]}`;
        const theirs = python(
          `print(json.dumps([str(x) for x in struct.unpack("${format}", data)]))`,
          bytesOf(value, bits / 8),
        );
        const numbers = (text: string) => (name.includes('int') ? BigInt(text) : Number(text));
        assert.deepEqual(values.map(numbers), (theirs as string[]).map(numbers), name);
      }
    });
  }

  test('there are none in other registers', () => assert.deepEqual(vectorLanes(64, 1n), []));

  test('x87 numbers are those of long double', () => {
    for (const value of [
      0n,
      0x3fff8000000000000000n,
      0xc000c90fdaa22168c235n,
      0x4009fa00000000000000n,
      0x00018000000000000000n,
    ]) {
      const theirs = python(
        'print(json.dumps(str(ctypes.c_longdouble.from_buffer(bytearray(data.ljust(16, b"\\0"))).value)))',
        bytesOf(value, 10),
      );
      assert.equal(Number(x87Number(value)), Number(theirs), value.toString(16));
    }
    assert.equal(x87Number(0xffff8000000000000000n), '-Infinity');
    assert.equal(x87Number(0x7fffc000000000000000n), 'NaN');
  });
});
