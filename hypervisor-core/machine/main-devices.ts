/** What of the devices is the main thread's: terminals, keyboard, and the disk behind its block device. */
import type { GuestMemory } from '../devices/device.ts';
import type { Disk } from '../devices/disk/disk.ts';
import { firmwareConsole } from '../devices/firmware-console.ts';
import { i8042, type KeyboardHandler } from '../devices/i8042.ts';
import type { PciHostHandler } from '../devices/pci/pci-host.ts';
import type { RtcHandler } from '../devices/rtc-cmos.ts';
import { COM_PORTS } from '../devices/serial16550.ts';
import { BlockServer } from '../devices/virtio/block-server.ts';
import { VIRTIO_BLK } from '../devices/virtio/virtio-blk.ts';
import { type ConsoleService, VIRTIO_CONSOLE } from '../devices/virtio/virtio-console.ts';
import type { VirtioPort } from '../devices/virtio/virtio-device.ts';
import type { Registers } from '../devices/virtio/virtio-registers.ts';
import type { Console } from './api.ts';
import type { AttachedDevices } from './attach-devices.ts';
import { ConsoleOutput } from './console-output.ts';
import type { ConsoleRing } from './console-ring.ts';
import type { PortBus } from './port-bus.ts';
import { RtcTimer } from './rtc-timer.ts';
import { SerialConsole } from './serial-console.ts';

/** Queue of the virtio console that takes what is typed. */
const RECEIVE = 0;

interface MainDevicesParts {
  readonly devices: AttachedDevices;
  readonly memory: GuestMemory;
  readonly disk: Disk | undefined;
  /** What is typed goes to COM1 alone: firmware makes keys of it, and would have those of the keyboard once more. */
  readonly typesToCom1: boolean;
  /** The console of a guest of Xen's. */
  readonly xenConsole: { type(data: Uint8Array): boolean } | undefined;
}

export class MainDevices {
  /** COM1 to COM4. */
  readonly serialPorts: readonly SerialConsole[];
  readonly firmwareLog: ConsoleOutput;
  /** What a terminal is for. */
  readonly console: Console;
  readonly disk: Disk | undefined;
  readonly #ports: PortBus;
  readonly #blocks: BlockServer | undefined;
  readonly #rtc: RtcTimer;
  readonly #typesToCom1: boolean;
  readonly #xenConsole: MainDevicesParts['xenConsole'];

  constructor({ devices: { ports, consoles }, memory, disk, typesToCom1, xenConsole }: MainDevicesParts) {
    this.disk = disk;
    this.#ports = ports;
    this.#typesToCom1 = typesToCom1;
    this.#xenConsole = xenConsole;
    this.serialPorts = COM_PORTS.map(({ name, console }) => new SerialConsole(ports, name, consoles[console]));
    const [com1] = this.serialPorts as [SerialConsole];
    this.firmwareLog = new ConsoleOutput(consoles[firmwareConsole.console] as ConsoleRing);
    this.console = {
      history: () => com1.history(),
      input: (data) => this.#typed(com1, data),
      onOutput: (listener) => com1.onOutput(listener),
    };
    const port = this.#virtio(VIRTIO_BLK);
    this.#blocks = disk && port && new BlockServer({ port, disk, memory, hold: (body) => ports.lock.hold(body) });
    this.#rtc = new RtcTimer(ports.device('rtc-cmos') as RtcHandler, (body) => ports.lock.hold(body));
    this.setRunning(false);
  }

  /** The guest has printed. */
  drainConsoles(): void {
    for (const console of this.#consoles) console.drain();
  }

  /** A device has asked for the main thread. */
  work(): void {
    this.#blocks?.kick();
    this.#rtc.look();
  }

  /** What a guest printed before it stopped is passed on before that is said. */
  setRunning(running: boolean): void {
    if (!running) for (const console of this.#consoles) console.flush();
    this.#blocks?.setRunning(running);
    this.#rtc.setRunning(running);
  }

  /** Resolves when a guest that stands still changes nothing any more. */
  async settled(): Promise<void> {
    await this.#blocks?.settled();
  }

  /** To be called when the machine, its memory and its disk have become what they were at another time. */
  restored(): void {
    this.#blocks?.restored();
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#rtc.setRunning(false);
    await this.#blocks?.close();
  }

  get #consoles(): readonly (SerialConsole | ConsoleOutput)[] {
    return [...this.serialPorts, this.firmwareLog];
  }

  #virtio(name: string): VirtioPort | undefined {
    const host = this.#ports.device('pci-host') as PciHostHandler;
    return host.registersOf(name) as Registers | undefined;
  }

  /**
   * A guest that has Xen's console or listens on COM1 has the line to itself, one that prints on its virtio console is
   * answered there; all others may be waiting for keys, or for COM1 to be looked at.
   */
  #typed(com1: SerialConsole, data: Uint8Array): void {
    const { lock } = this.#ports;
    if (lock.hold(() => this.#xenConsole?.type(data))) return;
    if (!com1.listening && !this.#typesToCom1) {
      if (lock.hold(() => this.#typedForVirtio(data))) return;
      const keyboard = this.#ports.device(i8042.name) as KeyboardHandler;
      lock.hold(() => keyboard.type(data));
    }
    com1.input(data);
  }

  #typedForVirtio(data: Uint8Array): boolean {
    const port = this.#virtio(VIRTIO_CONSOLE) as VirtioPort<ConsoleService> | undefined;
    if (!port?.service.spoken) return false;
    return port.serve(RECEIVE, (queue) => {
      port.service.receive(data);
      return port.service.notified(queue, RECEIVE);
    });
  }
}
