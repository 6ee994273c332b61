import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { encodePacket } from '../../hypervisor-core/protocol/rsp.ts';
import { RspClient } from './rsp-client.ts';
import { TargetError } from './target.ts';

const PATIENCE = 50;

describe('the client side of RSP', { timeout: 20_000 }, () => {
  let stub: Socket;
  let client: RspClient;
  let received: Buffer;

  beforeEach(async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
    [stub] = (await once(server, 'connection')) as [Socket];
    server.close();
    received = Buffer.alloc(0);
    stub.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    stub.on('error', () => undefined);
    client = new RspClient(socket, PATIENCE);
    client.dropAcknowledgements();
  });

  afterEach(() => {
    client.end();
    stub.destroy();
  });

  test('a stop reply is never the answer to a request made while the guest runs', async () => {
    const stop = new Promise<string>((resolve) => {
      client.onStopReply = resolve;
    });
    await client.resume('vCont;c');
    await assert.rejects(client.request('m1000,10'), TargetError);
    stub.write(encodePacket('T05swbreak:;thread:1;'));
    assert.equal(await stop, 'T05swbreak:;thread:1;');
    const answer = client.request('m1000,1');
    stub.write(encodePacket('cc'));
    assert.equal(await answer, 'cc');
    assert.doesNotMatch(received.toString('latin1'), /m1000,10/);
  });

  test('a stub that neither answers nor stops is given up, and the reason is told', async () => {
    const closed = () =>
      new Promise<string>((resolve) => {
        client.onClosed = resolve;
      });
    const reason = closed();
    await client.resume('vCont;c');
    await client.interrupt();
    // The timers do not keep a process alive, so something else has to.
    const awake = setInterval(() => undefined, PATIENCE);
    assert.match(await reason, /no stop for 0\.05 s after an interrupt/);
    clearInterval(awake);
    await assert.rejects(client.request('g'), /no stop/);
  });

  for (const [how, leave] of [
    ['ends', () => stub.end()],
    ['goes down', () => stub.resetAndDestroy()],
  ] as const)
    test(`a stub that ${how} has closed the connection`, async () => {
      const reason = new Promise<string>((resolve) => {
        client.onClosed = resolve;
      });
      leave();
      assert.equal(await reason, 'the connection was closed');
    });

  test('a stub that owes an answer does not hold up the parting', async () => {
    const owed = assert.rejects(client.request('g'), TargetError);
    while (!received.includes('$g#')) await once(stub, 'data');
    client.part('k');
    await owed;
    await once(stub, 'close');
    assert.match(received.toString('latin1'), /\$k#/);
  });
});
