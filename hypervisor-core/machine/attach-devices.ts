/** Brings the device models together with this machine's chips, clock and console, on whichever thread calls. */
import type { DeviceHost, DeviceModel, GuestMemory } from '../devices/device.ts';
import { deviceModels } from '../devices/devices.ts';
import { signalMsi } from '../kvm/vm.ts';
import type { DeviceState, GuestEnd } from '../protocol/inspect.ts';
import { ConsoleRing, consoleRingBytes } from './console-ring.ts';
import { CLOCK_BYTES, GuestClock } from './guest-clock.ts';
import { RamFile, ramRanges } from './guest-ram.ts';
import { INTERRUPT_LOG_BYTES, InterruptLog } from './interrupt-log.ts';
import { IRQ_LINES_BYTES, IrqLines } from './irq-lines.ts';
import { busBytes, PortBus, type SavedDevice } from './port-bus.ts';
import type { WorkerSetup } from './shared.ts';

const align = (offset: number) => Math.ceil(offset / 64) * 64;
/** Bytes kept of what the guest sent on each of COM1 to COM4, and of what its firmware said; port 0xe9 is the first one's too. */
const CONSOLES = [1 << 20, 1 << 16, 1 << 16, 1 << 16, 1 << 16];
const consoleOffset = (console: number) =>
  CONSOLES.slice(0, console).reduce((sum, capacity) => align(sum + consoleRingBytes(capacity)), 0);
const CLOCK = consoleOffset(CONSOLES.length);
const LINES = align(CLOCK + CLOCK_BYTES);
const LOG = align(LINES + IRQ_LINES_BYTES);
const BUS = align(LOG + INTERRUPT_LOG_BYTES);

/** What decides about the device models, alike on every thread. */
export type DeviceSetup = Pick<WorkerSetup, 'ramSize' | 'cpus' | 'diskSectors'>;

function modelsFor({ ramSize, cpus, diskSectors }: DeviceSetup): readonly DeviceModel[] {
  const [low = 0, high = 0] = ramRanges(ramSize).map(({ size }) => size);
  return deviceModels({ memoryBelow4G: low, memoryAbove4G: high, cpus, diskSectors });
}

/** Bytes of shared memory that the devices need. */
export const deviceMemoryBytes = (setup: DeviceSetup): number => BUS + busBytes(modelsFor(setup));

interface DeviceEvents {
  /** There are new bytes on one of the consoles. */
  transmitted(): void;
  ended(end: GuestEnd): void;
  /** A device has work for the main thread. */
  work(): void;
}

export interface AttachedDevices {
  readonly models: readonly DeviceModel[];
  readonly ports: PortBus;
  /** COM1 to COM4, and the firmware's. */
  readonly consoles: readonly ConsoleRing[];
  readonly clock: GuestClock;
  /** What the devices, and others, have interrupted the guest with. To be used under the bus' lock. */
  readonly interrupts: InterruptLog;
  /** The state of all models. */
  describe(): DeviceState[];
  /** All that the devices know, but for what went out on the consoles; to be put back while nothing runs. */
  save(): DevicesSnapshot;
  load(snapshot: DevicesSnapshot): void;
}

export interface DevicesSnapshot {
  /** Microseconds of the guest's clock. */
  readonly clock: number;
  /** Microseconds in which it stood still. */
  readonly stood?: number;
  /** Levels of the interrupt lines. */
  readonly lines: readonly number[];
  readonly devices: readonly SavedDevice[];
}

interface DeviceWishes {
  /** Puts power-on values into the shared memory: once per machine, before the first worker starts. */
  readonly reset?: boolean;
  /** Through which devices get at guest memory; directly when absent. */
  readonly memory?: GuestMemory;
}

export function attachDevices(
  setup: DeviceSetup & Pick<WorkerSetup, 'devices' | 'vmFd' | 'ramFd' | 'romSize' | 'framebufferSize' | 'ramWritten'>,
  events: DeviceEvents,
  { reset = false, memory: ram = new RamFile(setup.ramFd, setup, setup.ramWritten) }: DeviceWishes = {},
): AttachedDevices {
  const { devices: memory, vmFd } = setup;
  const consoles = CONSOLES.map((capacity, index) => new ConsoleRing(memory, consoleOffset(index), capacity));
  const clock = new GuestClock(memory, CLOCK);
  if (reset) clock.set(0);
  const interrupts = new InterruptLog(memory, LOG);
  const lines = new IrqLines(memory, LINES, { vmFd, log: interrupts, clock });
  const models = modelsFor(setup);
  const hostOf = (model: DeviceModel): DeviceHost => ({
    memory: ram,
    setIrq: (line: number, level: boolean) => lines.set(line, level, models.indexOf(model)),
    signalMsi: (address: bigint, data: number) => {
      const taken = signalMsi(vmFd, address, data) > 0;
      interrupts.message(clock.now(), 'message', { address, data, taken });
      return taken;
    },
    wake: () => events.work(),
    transmit: (byte: number) => {
      if (consoles[model.console ?? 0]?.put(byte)) events.transmitted();
    },
    now: () => clock.now(),
    elapsed: () => clock.elapsed(),
    end: (end: GuestEnd) => events.ended(end),
  });
  const ports = new PortBus(memory, BUS, models, hostOf, reset);
  return {
    models,
    ports,
    consoles,
    clock,
    interrupts,
    describe: () => ports.describe(),
    save: () => ({
      clock: clock.now(),
      stood: clock.elapsed() - clock.now(),
      lines: lines.save(),
      devices: ports.save(),
    }),
    load(snapshot) {
      ports.load(snapshot.devices);
      lines.load(snapshot.lines);
      ports.lock.hold(() => interrupts.clear());
      clock.set(snapshot.clock, snapshot.stood);
    },
  };
}
