/** A device on a bench, for tests: a host that keeps what the device does to it. */
import type { GuestEnd } from '../protocol/inspect.ts';
import type { DeviceHost, DeviceModel, PortHandler } from './device.ts';

export function bench<Handler extends PortHandler>(model: DeviceModel<Handler>, changes: Partial<DeviceHost> = {}) {
  const sent: number[] = [];
  const ends: GuestEnd[] = [];
  /** Changes of interrupt lines. */
  const lines: [number, boolean][] = [];
  /** Message-signalled interrupts. */
  const messages: [bigint, number][] = [];
  const wakes: number[] = [];
  const levels = new Map<number, boolean>();
  const host: DeviceHost = {
    memory: { read: () => new Uint8Array(0), write: () => 0 },
    setIrq(line, level) {
      if ((levels.get(line) ?? false) === level) return;
      levels.set(line, level);
      lines.push([line, level]);
    },
    signalMsi: (address, data) => messages.push([address, data]) > 0,
    wake: () => wakes.push(wakes.length),
    transmit: (byte) => sent.push(byte),
    now: () => 0,
    elapsed: () => 0,
    end: (end) => ends.push(end),
    ...changes,
  };
  const state = new DataView(new SharedArrayBuffer(model.stateBytes));
  model.reset(state);
  return {
    device: model.attach(state, host),
    second: model.attach(state, host),
    state,
    sent,
    ends,
    lines,
    messages,
    /** MSI-X tables, as the views see them. */
    tables: () => model.messages?.(state) ?? [],
    wakes,
  };
}
