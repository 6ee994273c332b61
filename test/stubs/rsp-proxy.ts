/** Packets of both ends of an RSP connection, for tests that stand between. */
import { createServer, type Socket } from 'node:net';
import { encodePacket, RspDecoder } from '../../hypervisor-core/protocol/rsp.ts';

/** Listens on a Unix socket for one client; resolves when it can connect. */
export function listenOnce(path: string, accept: (client: Socket) => void): Promise<void> {
  const server = createServer((client) => {
    server.close();
    accept(client);
  });
  return new Promise((resolve) => server.listen(path, () => resolve()));
}

export interface PacketEnd {
  send(payload: string): void;
  interrupt(): void;
}

export interface PacketListener {
  packet(payload: string): void;
  interrupt?(): void;
  closed?(): void;
}

/** Speaks in whole packets with the other side of `socket`; acknowledges what comes unless told not to. */
export function packetEnd(socket: Socket, on: PacketListener, acknowledge = true): PacketEnd {
  const decoder = new RspDecoder({ runLengths: true });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => on.closed?.());
  socket.on('data', (chunk: Uint8Array) => {
    for (const event of decoder.push(chunk)) {
      if (event.kind === 'interrupt') on.interrupt?.();
      if (event.kind !== 'packet') continue;
      if (acknowledge) socket.write('+');
      on.packet(event.payload);
    }
  });
  return {
    send: (payload) => socket.write(encodePacket(payload)),
    interrupt: () => socket.write(Uint8Array.of(3)),
  };
}
