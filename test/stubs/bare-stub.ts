/**
 * A stub as the plainest are (Bochs, old VMware): QEMU's, with everything taken away that GDB can do without. No target
 * description, no threads, no vCont, no single registers, no watchpoints, no monitor, 400 bytes a packet.
 */
import type { Between } from './attach-adapter.ts';
import { packetEnd } from './rsp-proxy.ts';

const UNKNOWN = /^(QStartNoAckMode|qXfer|vCont|q[fs]ThreadInfo|[pP]|qqemu|Qqemu|qRcmd|[zZ][234]|H)/;
/** In the `g` packet of QEMU's description: what comes between the segments and the x87 registers, in hex digits. */
const SYSTEM = { start: 2 * 164, end: 2 * 236 };
/** Length of GDB's own layout. */
const DEFAULT = 2 * 536;

export const bareStub: Between = (adapter, stub) => {
  /** What is done with the stub's next answer; without, it is passed on. */
  let awaited: ((reply: string) => void) | undefined;
  const client = packetEnd(adapter, {
    packet: (payload) => {
      if (payload.startsWith('qSupported')) return client.send('PacketSize=400');
      if (UNKNOWN.test(payload)) return client.send('');
      if (payload === 'g') {
        awaited = (all) => client.send((all.slice(0, SYSTEM.start) + all.slice(SYSTEM.end)).slice(0, DEFAULT));
      } else if (payload.startsWith('G')) {
        awaited = (all) => {
          const digits = payload.slice(1);
          const system = all.slice(SYSTEM.start, SYSTEM.end);
          const rest = all.slice(SYSTEM.end + digits.length - SYSTEM.start);
          target.send(`G${digits.slice(0, SYSTEM.start)}${system}${digits.slice(SYSTEM.start)}${rest}`);
        };
        return target.send('g');
      }
      target.send(payload);
    },
    interrupt: () => target.interrupt(),
    closed: () => stub.destroy(),
  });
  const target = packetEnd(stub, {
    packet: (payload) => {
      const take = awaited;
      awaited = undefined;
      if (take) take(payload);
      else client.send(/^T/.test(payload) ? `S${payload.slice(1, 3)}` : payload);
    },
    closed: () => adapter.destroy(),
  });
};
