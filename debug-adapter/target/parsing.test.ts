import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { registers as ours, targetXml } from '../../hypervisor-core/protocol/target-description.ts';
import { parseStopReply } from './stop-reply.ts';
import { TargetError } from './target.ts';
import { readTargetDescription } from './target-xml.ts';

describe('target description', () => {
  test("our own stub's, register for register", async () => {
    const read = await readTargetDescription(async () => targetXml());
    assert.deepEqual(
      read.map(({ name, bits, regnum }) => [name, bits, regnum]),
      ours.map(({ name, bits, regnum }) => [name, bits, regnum]),
    );
  });

  test('parts are included, once, and numbers go on where they are left out', async () => {
    const documents: Record<string, string> = {
      'target.xml':
        '<target><xi:include href="a.xml"/><xi:include href="a.xml"/><!-- <reg name="x" bitsize="8"/> --></target>',
      'a.xml':
        '<feature><reg name="rax" bitsize="64"/><reg name="rbx" bitsize="64"/><xi:include href="target.xml"/></feature>',
    };
    const read = await readTargetDescription(async (name) => documents[name] ?? '');
    assert.deepEqual(
      read.map(({ name, regnum }) => `${name} ${regnum}`),
      ['rax 0', 'rbx 1'],
    );
  });

  test('nonsense is refused', async () => {
    for (const bad of [
      '<reg name="a"/>',
      '<reg bitsize="64"/>',
      '<reg name="a" bitsize="-8"/>',
      '<reg name="a" bitsize="64" regnum="x"/>',
    ]) {
      await assert.rejects(
        readTargetDescription(async () => bad),
        TargetError,
      );
    }
    let documents = 0;
    await assert.rejects(
      readTargetDescription(async () => `<xi:include href="${documents++}"/>`),
      /too many parts/,
    );
  });
});

describe('stop replies', () => {
  test('reasons', () => {
    const reason = (payload: string, stepping = false) => {
      const reply = parseStopReply(payload, stepping);
      return reply?.kind === 'stop' ? reply.stop : undefined;
    };
    assert.deepEqual(reason('T05swbreak:;thread:02;'), { thread: 2, reason: { kind: 'breakpoint', hardware: false } });
    assert.deepEqual(reason('T05hwbreak:;thread:p1.1;')?.reason, { kind: 'breakpoint', hardware: true });
    assert.deepEqual(reason('T05watch:ffff800000001000;thread:1;')?.reason, {
      kind: 'watchpoint',
      address: 0xffff800000001000n,
      access: 'write',
    });
    assert.deepEqual(reason('T02thread:1;')?.reason, { kind: 'pause' });
    assert.deepEqual(reason('S05', true)?.reason, { kind: 'step' });
    assert.deepEqual(reason('S05')?.reason, { kind: 'breakpoint', hardware: false });
    assert.deepEqual(reason('T0breason:exception;description:747269706c65;thread:1;')?.reason, {
      kind: 'fault',
      message: 'triple',
      tripleFault: true,
    });
    assert.deepEqual(reason('T05reason:exception;description:706f7274;thread:1;')?.reason, {
      kind: 'event',
      message: 'port',
    });
    assert.deepEqual(reason('T05reason:exception;vectors:e,20;description:70616765;thread:1;')?.reason, {
      kind: 'exception',
      message: 'page',
      vectors: [14, 32],
    });
    assert.deepEqual(reason('T05reason:exception;vectors:100,x;description:70616765;thread:1;')?.reason, {
      kind: 'fault',
      message: 'page',
    });
    assert.deepEqual(parseStopReply('W2a', false), {
      kind: 'end',
      end: { exitStatus: 42, message: 'The guest ended with status 42.' },
    });
    assert.equal(parseStopReply('OK', false), undefined);
  });

  test('no payload makes it throw', () => {
    fc.assert(
      fc.property(fc.constantFrom('T', 'S', 'W', 'X', ''), fc.string(), (letter, rest) => {
        parseStopReply(letter + rest, true);
      }),
    );
  });
});
