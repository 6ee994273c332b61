/** Brings the device models together with this machine's chips, clock and console, on whichever thread calls. */
import type { DeviceModel } from '../devices/device.ts';
import { deviceModels } from '../devices/devices.ts';
import type { GuestEnd } from '../protocol/inspect.ts';
import { CONSOLE_RING_BYTES, ConsoleRing } from './console-ring.ts';
import { CLOCK_BYTES, GuestClock } from './guest-clock.ts';
import { ramRanges } from './guest-ram.ts';
import { IRQ_LINES_BYTES, IrqLines } from './irq-lines.ts';
import { busBytes, PortBus } from './port-bus.ts';
import type { WorkerSetup } from './shared.ts';

const align = (offset: number) => Math.ceil(offset / 64) * 64;
const CONSOLE = 0;
const CLOCK = align(CONSOLE + CONSOLE_RING_BYTES);
const LINES = align(CLOCK + CLOCK_BYTES);
const BUS = align(LINES + IRQ_LINES_BYTES);

/** The device models of a machine with `ramSize` bytes of RAM, alike on every thread. */
function modelsFor(ramSize: number): readonly DeviceModel[] {
  const [low = 0, high = 0] = ramRanges(ramSize).map(({ size }) => size);
  return deviceModels({ memoryBelow4G: low, memoryAbove4G: high });
}

/** Bytes of shared memory that the devices need. */
export const deviceMemoryBytes = (ramSize: number): number => BUS + busBytes(modelsFor(ramSize));

interface DeviceEvents {
  /** There are new bytes on the console. */
  transmitted(): void;
  ended(end: GuestEnd): void;
}

export interface AttachedDevices {
  readonly models: readonly DeviceModel[];
  readonly ports: PortBus;
  readonly console: ConsoleRing;
  readonly clock: GuestClock;
}

/** `reset` puts power-on values into the shared memory: once per machine, before the first worker starts. */
export function attachDevices(
  { devices: memory, vmFd, ramSize }: Pick<WorkerSetup, 'devices' | 'vmFd' | 'ramSize'>,
  events: DeviceEvents,
  reset = false,
): AttachedDevices {
  const console = new ConsoleRing(memory, CONSOLE);
  const clock = new GuestClock(memory, CLOCK);
  if (reset) clock.reset();
  const lines = new IrqLines(memory, LINES, vmFd);
  const host = {
    setIrq: (line: number, level: boolean) => lines.set(line, level),
    transmit: (byte: number) => {
      if (console.put(byte)) events.transmitted();
    },
    now: () => clock.now(),
    end: (end: GuestEnd) => events.ended(end),
  };
  const models = modelsFor(ramSize);
  return { models, ports: new PortBus(memory, BUS, models, host, reset), console, clock };
}
