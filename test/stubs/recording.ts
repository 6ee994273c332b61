/**
 * What went over an RSP connection, and a fake stub that plays it: it answers each request as the real one did, and lets a
 * resumed guest stop when it did: at once, or after the interrupt that stopped it. It cuts its bytes at odd places, as
 * networks may.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePacket } from '../../hypervisor-core/protocol/rsp.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import type { Adapter } from '../adapter/driving.ts';
import type { Between } from './attach-adapter.ts';
import { listenOnce, packetEnd } from './rsp-proxy.ts';

export type Recording = { readonly from: 'adapter' | 'stub'; readonly payload: string }[];

/** How an interrupt is recorded: a payload that no packet has. */
const INTERRUPT = '\x03';

export const record =
  (recording: Recording): Between =>
  (adapter, stub) => {
    const client = packetEnd(
      adapter,
      {
        packet: (payload) => {
          recording.push({ from: 'adapter', payload });
          target.send(payload);
        },
        interrupt: () => {
          recording.push({ from: 'adapter', payload: INTERRUPT });
          target.interrupt();
        },
        closed: () => stub.destroy(),
      },
      true,
    );
    const target = packetEnd(stub, {
      packet: (payload) => {
        recording.push({ from: 'stub', payload });
        client.send(payload);
      },
      closed: () => adapter.destroy(),
    });
  };

/** An adapter attached to a recording. */
export function replayAdapter(recording: Recording): Adapter {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-replay-'));
  const adapter = coreAdapter();
  return {
    client: adapter.client,
    start: async (attributes) => {
      const path = join(folder, 'fake.sock');
      await listenOnce(path, (socket) => replay(socket, recording));
      return adapter.client.request('attach', { target: `unix:${path}`, ...attributes });
    },
    close: async () => {
      await adapter.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Answers until the recording has nothing to say to a request: then the connection ends, and the test fails by it. */
function replay(socket: Socket, recording: Recording): void {
  let at = 0;
  const take = (payload: string) => {
    // Requests of another order than recorded are found further on, within the same stop.
    const found = recording.findIndex(
      ({ from, payload: known }, n) => n >= at && from === 'adapter' && known === payload,
    );
    if (found < 0) return socket.destroy();
    at = found + 1;
    for (let next = recording[at]; next?.from === 'stub'; next = recording[++at])
      write(socket, encodePacket(next.payload));
  };
  packetEnd(socket, { packet: take, interrupt: () => take(INTERRUPT) });
}

/** In pieces of 1 to 7 bytes at first, then the rest: a packet's beginning is where a reader goes wrong. */
function write(socket: Socket, packet: Uint8Array): void {
  let done = 0;
  for (let size = 1; size < 8 && done < packet.length; size++) {
    socket.write(packet.subarray(done, done + size));
    done += size;
  }
  if (done < packet.length) socket.write(packet.subarray(done));
}
