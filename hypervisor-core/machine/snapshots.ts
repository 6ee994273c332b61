/**
 * Snapshots of the whole machine: vCPUs, chips, devices, clocks, RAM, disk. The machine is the same after going back, so that a
 * guest that depends on nothing else runs the same way again. Times at which something is waited for outside of the guest
 * (a key that is pressed) are not part of it.
 */
import type { BootImage } from '../boot/boot-image.ts';
import type { DiskSnapshot, DiskSnapshots } from '../devices/disk/disk.ts';
import { HYPERCALL_STATE_BYTES } from '../hypercalls/abi.ts';
import { type ChipState, loadChips, loadVcpu, saveChips, saveVcpu, type VcpuState } from '../kvm/state.ts';
import type { SnapshotInfo } from '../protocol/inspect.ts';
import { SnapshotError, type Snapshots } from './api.ts';
import type { AttachedDevices, DevicesSnapshot } from './attach-devices.ts';
import type { MachineHardware } from './machine-hardware.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { MainDevices } from './main-devices.ts';
import { type RamSnapshot, RamSnapshots } from './ram-snapshots.ts';
import { machineOf, type SnapshotMachine, SnapshotReader, sameShape, writeSnapshot } from './snapshot-file.ts';

/** Everything but RAM and disk. */
export interface SavedState {
  readonly vcpus: readonly VcpuState[];
  readonly chips: ChipState;
  readonly devices: DevicesSnapshot;
  /** The state of the hypercall interface. */
  readonly hypercalls: Uint8Array;
}

interface Snapshot {
  readonly info: SnapshotInfo;
  readonly state: SavedState;
  readonly ram: RamSnapshot;
  /** Where there is a disk. */
  readonly disk: DiskSnapshot | undefined;
}

export interface SnapshotParts {
  readonly hardware: MachineHardware;
  readonly image: BootImage;
  readonly vcpus: readonly MachineVcpu[];
  readonly devices: AttachedDevices;
  readonly hypercalls: SharedArrayBuffer;
  /** Whoever works on the disk. */
  readonly main: Pick<MainDevices, 'disk' | 'settled' | 'restored'>;
  /** Takes all traps out of guest memory. */
  readonly disarm: () => void;
  /** Runs `body` while nothing else can be done to the machine; `changed` when it is another machine afterwards. */
  readonly exclusively: (changed: boolean, body: () => Promise<void>) => Promise<void>;
}

const MOST = 64;
const NAME = /^[\w.-]{1,64}$/;

export class MachineSnapshots implements Snapshots {
  readonly #parts: SnapshotParts;
  readonly #ram: RamSnapshots;
  readonly #named = new Map<string, Snapshot>();
  /** The state before the first instruction; its RAM is made anew from the image. */
  readonly #entry: SavedState;
  /** The snapshot that stands in for the entry, on a machine that began with it. */
  #origin: string | undefined;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
    const { ram, slots, ramWritten } = parts.hardware;
    this.#ram = new RamSnapshots(ram, slots, ramWritten);
    this.#entry = this.#save();
  }

  list(): SnapshotInfo[] {
    return [...this.#named.values()].map(({ info }) => info);
  }

  async take(name: string): Promise<SnapshotInfo> {
    this.#checkName(name);
    const disks = this.#disks();
    await this.#parts.exclusively(false, async () => {
      this.#parts.disarm();
      await this.#parts.main.settled();
      const state = this.#save();
      const before = this.#ram.bytes;
      const ram = await this.#ram.take();
      const disk = disks?.take();
      const info = {
        name,
        time: state.devices.clock,
        taken: new Date().toISOString(),
        bytes: this.#ram.bytes - before,
      };
      this.remove(name);
      this.#named.set(name, { info, state, ram, disk });
    });
    return this.#find(name).info;
  }

  async restore(name: string): Promise<void> {
    const { state, ram, disk } = this.#find(name);
    await this.#parts.exclusively(true, async () => {
      this.#parts.disarm();
      await this.#ram.restore(ram);
      await this.#load(state, disk);
    });
  }

  async restart(): Promise<void> {
    if (this.#origin !== undefined && this.#named.has(this.#origin)) return this.restore(this.#origin);
    const { hardware, image } = this.#parts;
    await this.#parts.exclusively(true, async () => {
      this.#parts.disarm();
      this.#ram.forgetContents();
      hardware.ram.clear();
      for (const { gpa, bytes } of image.segments) hardware.ram.patch(Number(gpa), bytes);
      await this.#load(this.#entry);
    });
  }

  async save(name: string, path: string): Promise<void> {
    const { info, state, ram, disk } = this.#find(name);
    const machine = machineOf(this.#parts.hardware);
    const contents = [this.#ram.contents(ram), disk ? (this.#disks()?.contents(disk) ?? []) : []];
    await this.#parts.exclusively(false, () => writeSnapshot(path, { machine, info, state }, contents));
  }

  async load(path: string): Promise<SnapshotInfo> {
    const reader = await SnapshotReader.open(path);
    try {
      const { machine, info, state } = await reader.head();
      const mismatch = misfit(machine, machineOf(this.#parts.hardware));
      if (mismatch) throw new SnapshotError(`${path} is of another machine: ${mismatch}.`);
      if (!sameShape(this.#entry, state)) throw new SnapshotError(`${path} is of another version of the devices.`);
      this.#checkName(info.name);
      const disks = this.#disks();
      await this.#parts.exclusively(false, async () => {
        const { ram, disk } = await this.#adopt(reader, disks);
        this.remove(info.name);
        this.#named.set(info.name, { info, state, ram, disk });
      });
      return info;
    } finally {
      await reader.close();
    }
  }

  async startFrom(name: string): Promise<void> {
    await this.restore(name);
    this.#origin = name;
  }

  /** No effect where there is none of that name. */
  remove(name: string): void {
    const snapshot = this.#named.get(name);
    if (!snapshot) return;
    this.#named.delete(name);
    this.#ram.remove(snapshot.ram);
    if (snapshot.disk) this.#disks()?.remove(snapshot.disk);
  }

  close(): void {
    this.#ram.close();
  }

  #checkName(name: string): void {
    if (!NAME.test(name)) {
      throw new SnapshotError(`"${name}" is no name for a snapshot: use up to 64 letters, digits, ".", "-" and "_".`);
    }
    if (this.#named.size >= MOST && !this.#named.has(name)) {
      throw new SnapshotError(`There are ${MOST} snapshots already; remove one first.`);
    }
  }

  #find(name: string): Snapshot {
    const snapshot = this.#named.get(name);
    if (snapshot) return snapshot;
    const names = [...this.#named.keys()];
    const known = names.length > 0 ? `there are ${names.join(', ')}` : 'none has been taken yet';
    throw new SnapshotError(`There is no snapshot "${name}"; ${known}.`);
  }

  /** Undefined where there is no disk. Throws for one that cannot be taken back. */
  #disks(): DiskSnapshots | undefined {
    const { disk } = this.#parts.main;
    if (disk && !disk.snapshots) {
      throw new SnapshotError(
        "A snapshot cannot hold the disk, because the guest's writes go to its file: leave out persist to take one.",
      );
    }
    return disk?.snapshots;
  }

  async #adopt(reader: SnapshotReader, disks: DiskSnapshots | undefined): Promise<Pick<Snapshot, 'ram' | 'disk'>> {
    const ram = await this.#ram.adopt(reader.contents());
    try {
      return { ram, disk: await disks?.adopt(reader.contents()) };
    } catch (error) {
      this.#ram.remove(ram);
      throw error;
    }
  }

  #save(): SavedState {
    const { hardware, vcpus, devices, hypercalls } = this.#parts;
    return {
      vcpus: vcpus.map(({ kvm }) => saveVcpu(kvm, hardware.msrIndices)),
      chips: saveChips(hardware.vm),
      devices: devices.save(),
      hypercalls: new Uint8Array(hypercalls, 0, HYPERCALL_STATE_BYTES).slice(),
    };
  }

  /** Without a snapshot of the disk it becomes what its image is. */
  async #load(state: SavedState, disk?: DiskSnapshot): Promise<void> {
    const { hardware, vcpus, devices, hypercalls, main } = this.#parts;
    await main.settled();
    main.disk?.snapshots?.restore(disk);
    devices.load(state.devices);
    loadChips(hardware.vm, state.chips);
    for (const [index, vcpu] of vcpus.entries()) {
      const saved = state.vcpus[index];
      if (saved) loadVcpu(vcpu.kvm, saved);
      vcpu.registers.forget();
    }
    new Uint8Array(hypercalls, 0, HYPERCALL_STATE_BYTES).set(state.hypercalls);
    main.restored();
  }
}

/** What of a snapshot's machine is not as this one is, in words. */
function misfit(theirs: SnapshotMachine, ours: SnapshotMachine): string | undefined {
  const names = {
    cpus: 'vCPUs',
    memory: 'bytes of RAM',
    personality: 'personality',
    kvm: 'KVM module',
    cpu: 'processor features',
    disk: 'sectors of the disk',
    rom: 'bytes of firmware',
    framebuffer: 'framebuffer',
  } as const;
  const differs = (Object.keys(names) as (keyof typeof names)[]).find((key) => theirs[key] !== ours[key]);
  return differs && `its ${names[differs]}: ${theirs[differs]}, not ${ours[differs]}`;
}
