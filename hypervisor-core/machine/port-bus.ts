/**
 * The port bus: which device answers which port, with all device state in one piece of shared memory and one lock
 * around each access. Every worker and the main thread have a bus of their own over the same bytes.
 */
import type { DeviceHost, DeviceModel, MemoryAccess, PortHandler } from '../devices/device.ts';
import type { PortAccess } from '../kvm/run-page.ts';
import type { DeviceState, MsixVector } from '../protocol/inspect.ts';
import { LOCK_BYTES, SharedLock } from './shared-lock.ts';

const align = (bytes: number) => Math.ceil(bytes / 16) * 16;
const FIRST_STATE = align(LOCK_BYTES);

/** Bytes that the lock and the state of all models take. */
export const busBytes = (models: readonly DeviceModel[]): number =>
  models.reduce((sum, { stateBytes }) => sum + align(stateBytes), FIRST_STATE);

/** The state of one device, to be put back later. */
export interface SavedDevice {
  readonly device: string;
  readonly state: Uint8Array;
}

const bytesOf = (view: DataView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export class PortBus {
  readonly lock: SharedLock;
  readonly #handlers = new Map<number, PortHandler>();
  readonly #byName = new Map<string, PortHandler>();
  readonly #parts: { readonly model: DeviceModel; readonly state: DataView }[] = [];

  /** `memory` holds {@link busBytes} bytes from `start` on; `reset` puts power-on values into them. */
  constructor(
    memory: SharedArrayBuffer,
    start: number,
    models: readonly DeviceModel[],
    hostOf: (model: DeviceModel) => DeviceHost,
    reset: boolean,
  ) {
    this.lock = new SharedLock(memory, start);
    let offset = start + FIRST_STATE;
    for (const model of models) {
      const state = new DataView(memory, offset, model.stateBytes);
      if (reset) model.reset(state);
      const handler = model.attach(state, hostOf(model));
      this.#parts.push({ model, state });
      this.#byName.set(model.name, handler);
      for (const { first, last } of model.ports) {
        for (let port = first; port <= last; port++) this.#handlers.set(port, handler);
      }
      offset += align(model.stateBytes);
    }
  }

  /** The handler of a device by its model's name. */
  device(name: string): PortHandler | undefined {
    return this.#byName.get(name);
  }

  /** Whose port it is, and what the device calls it; undefined where no device is. */
  name(port: number, write: boolean): { readonly device: string; readonly register?: string } | undefined {
    const part = this.#parts.find(({ model }) => model.ports.some(({ first, last }) => port >= first && port <= last));
    const register = part?.model.register?.(port, write);
    return part && { device: part.model.name, ...(register !== undefined && { register }) };
  }

  /** The state of every device, at one moment. */
  describe(): DeviceState[] {
    return this.lock.hold(() =>
      this.#parts.map(({ model, state }) => ({ device: model.name, registers: model.describe(state) })),
    );
  }

  /** The MSI-X tables of all devices, at one moment. */
  messages(): MsixVector[] {
    return this.lock.hold(() => this.#parts.flatMap(({ model, state }) => model.messages?.(state) ?? []));
  }

  /** A copy of all device state, by the models' names. */
  save(): SavedDevice[] {
    return this.lock.hold(() =>
      this.#parts.map(({ model, state }) => ({ device: model.name, state: Uint8Array.from(bytesOf(state)) })),
    );
  }

  /** Puts back what {@link save} gave. Throws a RangeError when it is of other devices than these. */
  load(saved: readonly SavedDevice[]): void {
    const states = this.#parts.map(({ model, state }) => {
      const found = saved.find(({ device }) => device === model.name)?.state;
      if (found?.length !== state.byteLength) throw new RangeError(`the snapshot has no state for ${model.name}`);
      return { to: bytesOf(state), from: found };
    });
    this.lock.hold(() => {
      for (const { to, from } of states) to.set(from);
    });
  }

  /** Carries out an access to registers in memory. Where no device is, reads give ones and writes are swallowed. */
  memoryAccess(access: MemoryAccess): void {
    const taken = this.lock.hold(() => [...this.#byName.values()].some((device) => device.memory?.(access)));
    if (!taken && !access.write) access.data.fill(0xff);
  }

  /** Carries out an access by the guest. Ports without a device read as all ones and swallow writes. */
  access({ port, size, count, write, data }: PortAccess): void {
    const handler = this.#handlers.get(port) ?? nobody;
    this.lock.hold(() => {
      for (let at = 0; at < size * count; at += size) {
        if (write) handler.out(port, size, readItem(data, at, size));
        else writeItem(data, at, size, handler.in(port, size));
      }
    });
  }
}

const nobody: PortHandler = { in: () => 0xffff_ffff, out: () => {} };

function readItem(data: DataView, at: number, size: number): number {
  if (size === 1) return data.getUint8(at);
  return size === 2 ? data.getUint16(at, true) : data.getUint32(at, true);
}

function writeItem(data: DataView, at: number, size: number, value: number): void {
  if (size === 1) data.setUint8(at, value);
  else if (size === 2) data.setUint16(at, value, true);
  else data.setUint32(at, value, true);
}
