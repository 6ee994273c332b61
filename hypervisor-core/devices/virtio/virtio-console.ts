/**
 * The console of virtio (virtio 1.2, 5.3) with its one port: what the guest sends goes where COM1's output goes, what is
 * typed waits in a FIFO until the driver has buffers for it.
 */
import { ByteFifo, fifoBytes } from '../byte-fifo.ts';
import type { DeviceHost } from '../device.ts';
import type { VirtioDevice, VirtioService } from './virtio-device.ts';
import type { Chain, VirtioQueue } from './virtio-queue.ts';

const DEVICE_ID = 3;
const RECEIVE = 0;
const CAPACITY = 1 << 16;
const AT = { spoken: 0, input: 8 };
/** Bytes taken from one notification; a driver does not come near it. */
const MOST_BYTES = 1 << 20;

export const VIRTIO_CONSOLE = 'virtio-console';

export interface ConsoleService extends VirtioService {
  /** Whether the guest has ever sent something. */
  readonly spoken: boolean;
  /** Takes what is typed; to be followed by a look at the receive queue. */
  receive(data: Uint8Array): void;
}

export const virtioConsole: VirtioDevice = {
  name: VIRTIO_CONSOLE,
  deviceId: DEVICE_ID,
  classCode: 0x07_80_00,
  queues: 2,
  stateBytes: AT.input + fifoBytes(CAPACITY),
  attach: (state, host): ConsoleService => {
    const input = new ByteFifo(state, AT.input, CAPACITY);
    return {
      get spoken() {
        return state.getUint8(AT.spoken) !== 0;
      },
      receive(data) {
        for (const byte of data) input.push(byte);
      },
      notified(queue, index) {
        if (index === RECEIVE) return fill(queue, input);
        state.setUint8(AT.spoken, 1);
        return send(queue, host);
      },
    };
  },
};

function send(queue: VirtioQueue, host: DeviceHost): boolean {
  let left = MOST_BYTES;
  return queue.finishAll(({ readable }) => {
    for (const { gpa, length } of readable) {
      const bytes = queue.memory.read(gpa, Math.min(length, left));
      for (const byte of bytes) host.transmit(byte);
      left -= bytes.length;
    }
    return 0;
  });
}

/** Gives the driver what was typed, a chain at a time. */
function fill(queue: VirtioQueue, input: ByteFifo): boolean {
  return (
    input.count > 0 &&
    queue.finishAll(
      (chain) => take(chain, queue, input),
      () => input.count > 0,
    )
  );
}

function take({ writable }: Chain, queue: VirtioQueue, input: ByteFifo): number {
  let written = 0;
  for (const { gpa, length } of writable) {
    const bytes = Uint8Array.from({ length: Math.min(length, input.count) }, () => input.shift() ?? 0);
    written += queue.memory.write(gpa, bytes);
  }
  return written;
}
