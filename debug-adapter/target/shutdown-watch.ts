/** Follows by QMP events how a guest of QEMU comes to its end: the stub says no more than that it stopped. */
import { setTimeout as delay } from 'node:timers/promises';
import type { QemuProcess } from './qemu-process.ts';
import type { QmpClient } from './qmp-client.ts';
import type { StopReply } from './stop-reply.ts';
import type { TargetEnd, TargetStop } from './target.ts';

/** Milliseconds for QEMU to be gone, once its connection is. */
const PATIENCE = 1_000;

export class ShutdownWatch {
  private reason: string | undefined;
  private panicked = false;
  private told = false;

  constructor(private readonly qmp: QmpClient) {
    qmp.onEvent = (name, data) => {
      if (name === 'SHUTDOWN') this.reason = String(data['reason']);
      else if (name === 'GUEST_PANICKED') this.panicked = true;
    };
  }

  /** What a stop with a signal that is none of a debugger's stands for. */
  async judge(stop: TargetStop): Promise<StopReply> {
    // Events come before the answer to what is asked after them.
    await this.qmp.execute('query-status');
    if (this.panicked) {
      this.panicked = false;
      return fault(stop, 'The guest says that it panicked (pvpanic).');
    }
    if (this.reason === undefined) return { kind: 'stop', stop };
    if (this.reason === 'guest-shutdown') {
      return { kind: 'end', end: { exitStatus: 0, message: 'The guest powered itself off.' } };
    }
    this.told = true;
    // QEMU tells a triple fault like any other reset, and keeps the registers.
    return fault(stop, 'The guest reset the machine: on purpose, or by a triple fault. It cannot go on.');
  }

  /** Set when the guest was reset and its user has been told: it cannot be let go any more. */
  get end(): TargetEnd | undefined {
    return this.told ? { exitStatus: 1, message: 'The guest reset the machine.' } : undefined;
  }
}

const fault = (stop: TargetStop, message: string): StopReply => ({
  kind: 'stop',
  stop: { ...stop, reason: { kind: 'fault', message } },
});

/** How a QEMU whose connection broke has ended: by its guest, through the debug-exit port, or otherwise, in one sentence. */
export async function explainEnd(qemu: QemuProcess, reason: string): Promise<TargetEnd | string> {
  await Promise.race([qemu.ended, delay(PATIENCE, undefined, { ref: false })]);
  const { exitStatus, words } = qemu;
  // isa-debug-exit ends QEMU with an odd status; its own failures are 1, and say why.
  if (exitStatus !== undefined && exitStatus % 2 === 1 && words === '') {
    return { exitStatus, message: `The guest wrote 0x${(exitStatus >> 1).toString(16)} to the debug-exit port.` };
  }
  const last = words === '' ? '' : ` Its last words: ${words}`;
  return qemu.alive ? `QEMU does not answer (${reason}).${last}` : `QEMU ended.${last}`;
}
