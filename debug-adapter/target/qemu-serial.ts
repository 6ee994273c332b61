/** The other end of the guest's serial port where QEMU has connected it to a socket. */
import type { Socket } from 'node:net';
import type { SerialLine } from './monitor/monitor-inspect.ts';

/** Bytes kept, as many as our core keeps. */
const MOST_HISTORY = 1 << 20;

export class QemuSerial implements SerialLine {
  private kept: Buffer[] = [];
  private length = 0;
  private readonly listeners: ((data: Uint8Array) => void)[] = [];

  constructor(private readonly socket: Socket) {
    // A guest that is gone is told of elsewhere.
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      this.kept.push(data);
      this.length += data.length;
      if (this.length > 2 * MOST_HISTORY) {
        this.kept = [Buffer.concat(this.kept).subarray(-MOST_HISTORY)];
        this.length = MOST_HISTORY;
      }
      for (const listener of this.listeners) listener(data);
    });
  }

  history(): Uint8Array {
    return Buffer.concat(this.kept).subarray(-MOST_HISTORY);
  }

  input(data: Uint8Array): void {
    this.socket.write(data);
  }

  onOutput(listener: (data: Uint8Array) => void): void {
    this.listeners.push(listener);
  }
}
