import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bytesToHex,
  encodeNotification,
  encodePacket,
  hexToBytes,
  parseNumber,
  parseThreadId,
  RspDecoder,
  textToHex,
} from './rsp.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const decode = (text: string, runLengths = true) => new RspDecoder({ runLengths }).push(latin1(text));
const packet = (payload: string) => ({ kind: 'packet', payload });

describe('packets on the wire', () => {
  test('the manual’s own examples', () => {
    assert.equal(Buffer.from(encodePacket('OK')).toString(), '$OK#9a');
    assert.equal(Buffer.from(encodePacket('')).toString(), '$#00');
    assert.deepEqual(decode('$0* #7a'), [packet('0000')], 'GDB manual E.1: `0* ` is `0000`');
    assert.deepEqual(decode('$}\x03#80'), [packet('#')], 'an escaped byte is xored with 0x20');
  });

  test('what gdb 13 sent to QEMU', () => {
    assert.deepEqual(decode('+$vMustReplyEmpty#3a+$Hgp0.0#ad\x03', false), [
      { kind: 'ack' },
      packet('vMustReplyEmpty'),
      { kind: 'ack' },
      packet('Hgp0.0'),
      { kind: 'interrupt' },
    ]);
  });

  test('special bytes are escaped, and a notification is told apart', () => {
    assert.equal(Buffer.from(encodePacket('$#}*')).toString('latin1'), '$}\x04}\x03}]}\n#62');
    assert.deepEqual(new RspDecoder({ runLengths: true }).push(encodeNotification('Stop:T05')), [
      { kind: 'notification', payload: 'Stop:T05' },
    ]);
  });

  test('a client’s star is a star', () => {
    assert.deepEqual(decode('$X0,1:*#49', false), [packet('X0,1:*')]);
  });

  test('bad packets are named and the next one is whole', () => {
    const good = '$OK#9a';
    const bad = (text: string, reason: string) =>
      assert.deepEqual(decode(text + good), [{ kind: 'bad', reason }, packet('OK')], text);
    bad('$OK#9b', 'checksum');
    bad('$OK#xy', 'checksum');
    bad('$}#7d', 'escape');
    bad('$* #4a', 'run-length');
    bad('$0*#5a', 'run-length');
    assert.deepEqual(decode(`$lost${good}`), [packet('OK')], 'a packet without an end');
  });

  test('a packet may not be longer than the cap, on the wire or expanded', () => {
    const decoder = new RspDecoder({ runLengths: true, maxPacket: 64 });
    const long = encodePacket('a'.repeat(65));
    for (const byte of long.subarray(0, -1)) assert.deepEqual(decoder.push(Uint8Array.of(byte)), []);
    assert.deepEqual(decoder.push(long.subarray(-1)), [{ kind: 'bad', reason: 'too-long' }]);
    assert.deepEqual(decoder.push(encodePacket('b'.repeat(64))), [packet('b'.repeat(64))]);
    assert.deepEqual(decoder.push(latin1('$0*~#d8')), [{ kind: 'bad', reason: 'too-long' }]);
  });

  test('any payload survives any chopping', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 7 }),
        (payloads, step) => {
          const stream = Buffer.concat(payloads.map((payload) => encodePacket(payload)));
          for (const runLengths of [true, false]) {
            const decoder = new RspDecoder({ runLengths });
            const events = [];
            for (let at = 0; at < stream.length; at += step)
              events.push(...decoder.push(stream.subarray(at, at + step)));
            assert.deepEqual(
              events,
              payloads.map((payload) => packet(Buffer.from(payload).toString('latin1'))),
            );
          }
        },
      ),
    );
  });

  test('the checksum is the sum of what is between $ and #, and specials do not stand there', () => {
    const specials = fc.constantFrom(...Buffer.from('$#*}'));
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), specials), { maxLength: 2000 }), (payload) => {
        const wire = Buffer.from(encodePacket(Uint8Array.from(payload)));
        const body = wire.subarray(1, -3);
        const sum = body.reduce((total, byte) => total + byte, 0) % 256;
        assert.equal(wire.subarray(-3).toString(), `#${sum.toString(16).padStart(2, '0')}`);
        assert.equal(/[$#*]/.test(body.toString('latin1')), false);
      }),
    );
  });

  test('any bytes are survived, and a good packet after them is found', () => {
    const noise = fc.array(fc.oneof(fc.nat(255), fc.constantFrom(...latin1('$#}*%+-\x03'))), { maxLength: 300 });
    fc.assert(
      fc.property(noise, fc.boolean(), (bytes, runLengths) => {
        const decoder = new RspDecoder({ runLengths, maxPacket: 100 });
        decoder.push(Uint8Array.from(bytes));
        // Two digits and a packet end what the noise may have begun.
        decoder.push(latin1('00$#00'));
        assert.deepEqual(decoder.push(encodePacket('OK')), [packet('OK')]);
      }),
    );
  });
});

describe('fields inside packets', () => {
  test('hex bytes', () => {
    assert.equal(bytesToHex(Uint8Array.of(0, 0xff, 0x1a)), '00ff1a');
    assert.deepEqual([...hexToBytes('00Ff1a')!], [0, 0xff, 0x1a]);
    assert.equal(hexToBytes('0'), undefined);
    assert.equal(hexToBytes('0g'), undefined);
    assert.equal(textToHex('é\n'), 'c3a90a');
  });

  test('numbers', () => {
    assert.equal(parseNumber('ffffffff80000000'), 0xffff_ffff_8000_0000n);
    for (const bad of ['', '0x1', '-1', '11112222333344445', ' 1']) assert.equal(parseNumber(bad), undefined, bad);
  });

  test('thread-ids', () => {
    const ids = {
      '1': 1,
      a: 10,
      '0': 'any',
      '-1': 'all',
      'p1.2': 2,
      'p1.-1': 'all',
      'p0.0': 'any',
      p1: 'all',
      'p-1.-1': 'all',
    };
    for (const [text, id] of Object.entries(ids)) assert.equal(parseThreadId(text), id, text);
    for (const bad of ['', 'p', 'x', 'p1.2.3', '123456789', '--1']) assert.equal(parseThreadId(bad), undefined, bad);
  });
});
