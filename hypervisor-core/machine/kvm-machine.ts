/** The machine that the servers and the command line see; it joins the parts of this room. */
import type { BootImage } from '../boot/boot-image.ts';
import type { GuestMemory } from '../devices/device.ts';
import type { Disk } from '../devices/disk/disk.ts';
import { conventionOf } from '../hypercalls/hypercalls.ts';
import { XenConsole } from '../hypercalls/xen-console.ts';
import { withReads } from '../paging/reads.ts';
import { translate } from '../paging/walk.ts';
import type { BreakpointOptions } from '../protocol/agent/breakpoint-options.ts';
import { FIRMWARE } from '../protocol/boot-choice.ts';
import type {
  DeviceState,
  GuestEnd,
  InterruptLog,
  MachineInfo,
  MachineState,
  MemoryMap,
  MsixVector,
} from '../protocol/inspect.ts';
import { bytesToHex } from '../protocol/rsp.ts';
import type { StopOn } from '../protocol/stop-on.ts';
import { type AgentSource, AgentVariables, agentContext } from './agent-context.ts';
import type {
  BreakpointKind,
  Console,
  ConsoleLog,
  Disposable,
  Machine,
  PhysicalMemory,
  ResumeAction,
  Stop,
} from './api.ts';
import { BreakpointError } from './api.ts';
import { type AttachedDevices, attachDevices } from './attach-devices.ts';
import { Breakpoints } from './breakpoints.ts';
import { callInstructions } from './call-sites.ts';
import { judge } from './conditions.ts';
import { controlWrites } from './control-writes.ts';
import { IDT_BYTES } from './debug-plan.ts';
import { handlerOf } from './exception-frame.ts';
import { ExitTrace } from './exit-trace.ts';
import { type GuestCode, guestCode } from './guest-code.ts';
import { platformOf } from './hypercall-platform.ts';
import { hypercallReader, hypercallState } from './hypercall-trace.ts';
import { ImageMap } from './image-map.ts';
import { Listeners } from './listeners.ts';
import type { MachineHardware } from './machine-hardware.ts';
import { MachineVcpu } from './machine-vcpu.ts';
import { MainDevices } from './main-devices.ts';
import { memoryMap } from './memory-map.ts';
import { PlantedTraps } from './planted-traps.ts';
import { RamAtomics } from './ram-atomics.ts';
import { RecordedCalls } from './recorded-calls.ts';
import { RunControl } from './run-control.ts';
import { MachineSnapshots } from './snapshots.ts';
import { StopsOnDemand } from './stops-on-demand.ts';
import { VcpuThread } from './vcpu-thread.ts';
import { VirtualMemory } from './virtual-memory.ts';

const CR0_PG = 1n << 31n;
const killed: GuestEnd = { cause: 'killed', exitStatus: 137, message: 'The guest was killed.' };

export class KvmMachine implements Machine {
  readonly info: MachineInfo;
  readonly vcpus: readonly MachineVcpu[];
  readonly memory: PhysicalMemory;
  readonly hypercalls: Machine['hypercalls'];
  readonly exits: Machine['exits'];
  readonly snapshots: MachineSnapshots;
  readonly variables: AgentVariables;
  /** Resolves when every worker waits for orders. */
  readonly ready: Promise<unknown>;
  readonly #hardware: MachineHardware;
  readonly #image: BootImage;
  readonly #devices: AttachedDevices;
  readonly #main: MainDevices;
  readonly #breakpoints: Breakpoints;
  readonly #virtual: VirtualMemory;
  readonly #run: RunControl;
  readonly #stops: StopsOnDemand;
  readonly #recorded: RecordedCalls;
  readonly #instructions: RecordedCalls;
  /** What is code for certain, while nobody runs. */
  readonly #code: () => Iterable<GuestCode>;
  readonly #printed = new Listeners<string>();
  readonly #atomics: RamAtomics;
  #closed: Promise<void> | undefined;

  /** Takes the disk over. */
  constructor(hardware: MachineHardware, image: BootImage, disk?: Disk) {
    this.#hardware = hardware;
    this.#atomics = new RamAtomics(hardware.ram);
    this.#image = image;
    this.info = hardware.info;
    this.vcpus = hardware.vcpus.map((kvm) => {
      const events = {
        parked: (report: Parameters<RunControl['parked']>[1]) => this.#run.parked(this.#vcpu(kvm.index), report),
        console: () => this.#main.drainConsoles(),
        printed: (text: string) => this.#printed.emit(text),
        work: () => this.#main.work(),
      };
      return new MachineVcpu(kvm, new VcpuThread(hardware.setup(kvm), events), {
        vm: hardware.vm,
        msrIndices: hardware.msrIndices,
        injected: (message) => this.#injected(message),
      });
    });
    const first = this.#vcpu(0);
    const shared = hardware.setup(first.kvm);
    const traps = new PlantedTraps(hardware.ram, hardware.strategy.trap);
    const memory = this.#deviceMemory(traps);
    this.#devices = attachDevices(
      shared,
      {
        transmitted: () => this.#main.drainConsoles(),
        ended: (end) => this.#run.end(end),
        work: () => this.#main.work(),
      },
      { reset: true, memory },
    );
    this.variables = new AgentVariables(shared.variables);
    const { clock, interrupts } = this.#devices;
    const state = hypercallState(shared.hypercalls);
    const parts = { ...shared, vcpu: first.kvm, ram: hardware.ram, atomics: this.#atomics, clock, state, interrupts };
    const platform = platformOf(parts);
    const xenConsole = this.info.personality === 'xen' ? new XenConsole(platform) : undefined;
    this.#main = new MainDevices({
      ...{ devices: this.#devices, memory, disk, xenConsole },
      typesToCom1: this.info.bootProtocol === FIRMWARE,
    });
    const images = new ImageMap(image);
    const hypercalls = conventionOf(hardware.info.personality);
    this.#code = () => guestCode(image, this.vcpus, (gpa, length) => traps.read(gpa, length));
    this.#stops = new StopsOnDemand({
      msrFilter: hardware.filtersMsrs,
      hypercalls: () => [
        ...(hypercalls && (hardware.info.callSites > 0 || hypercalls.msrs(hardware.strategy).length > 0)
          ? [hypercalls.name]
          : []),
        ...(this.#recorded.any ? (['xen'] as const) : []),
        ...(this.#instructions.any ? (['kvm'] as const) : []),
      ],
      memoryMap: () => this.memoryMap(),
      filterMsrs: (indices) => hardware.filterMsrs(indices),
      controlWrites: (registers) => controlWrites(this.#code(), registers),
    });
    this.#virtual = new VirtualMemory(traps);
    this.#breakpoints = new Breakpoints({
      traps,
      slots: hardware.slots,
      strategy: hardware.strategy,
      locate: (gva, cr3) => this.#locate(gva, cr3) ?? images.locate(gva),
      handlerOf: (vector) => handlerOf(first, this.#virtual, vector),
      idt: () => {
        const base = first.registers.get('idtr_base');
        return { base, gates: bytesToHex(this.#virtual.read(first, base, IDT_BYTES)) };
      },
      stops: () => this.#stops.all,
      controlWrites: () => this.#stops.controlWrites,
    });
    this.#recorded = new RecordedCalls(this.#breakpoints, 'call');
    this.#instructions = new RecordedCalls(this.#breakpoints, 'instruction');
    this.#run = new RunControl({
      returnsTo: (address) => this.#recorded.returnsTo(address),
      vcpus: this.vcpus,
      breakpoints: this.#breakpoints,
      strategy: hardware.strategy,
      memory: this.#virtual,
      judge: (vcpu, claims) => judge(claims, agentContext(this.#agentSource(vcpu), this.variables)),
      clock,
    });
    this.memory = {
      size: this.info.memory,
      read: (gpa, length) => traps.read(Number(gpa), length),
      write: (gpa, data) => traps.write(Number(gpa), data),
      host: (gpa) => hardware.ram.host(Number(gpa)),
    };
    this.#run.onState.add(({ kind }) => this.#main.setRunning(kind === 'running'));
    this.hypercalls = hypercallReader(shared.hypercalls);
    const exits = new ExitTrace({
      ...{ memory: shared.exits, cpus: this.vcpus.length, stats: hardware.stats },
      threadId: (vcpu) => this.#vcpu(vcpu).thread.tid,
      portName: (port, write) => this.#devices.ports.name(port, write),
    });
    this.exits = exits.api;
    this.snapshots = new MachineSnapshots({
      ...{ hardware, image, vcpus: this.vcpus, devices: this.#devices, hypercalls: shared.hypercalls },
      main: this.#main,
      disarm: () => this.#breakpoints.disarm(),
      exclusively: (anew, body) => this.#run.exclusively(anew, body),
    });
    this.ready = Promise.all(this.vcpus.map(({ index, thread }) => thread.ready.then(() => exits.begin(index))));
  }

  get state(): MachineState {
    return this.#run.state;
  }

  get console(): Console {
    return this.#main.console;
  }

  get serialPorts(): readonly Console[] {
    return this.#main.serialPorts;
  }

  get firmwareLog(): ConsoleLog {
    return this.#main.firmwareLog;
  }

  memoryMap(): MemoryMap {
    const { ram, wishes } = this.#hardware;
    const { models } = this.#devices;
    return memoryMap({ ranges: ram.ranges, framebuffer: wishes.framebuffer, image: this.#image, models });
  }

  devices(): DeviceState[] {
    return this.#devices.describe();
  }

  messages(): MsixVector[] {
    return this.#devices.ports.messages();
  }

  interruptLog(limit: number): InterruptLog {
    const { ports, clock, interrupts, models } = this.#devices;
    const name = (device: number) => models[device]?.name;
    return { time: clock.now(), ...ports.lock.hold(() => interrupts.read(limit, name)) };
  }

  readVirtual(vcpu: number, gva: bigint, length: number): Uint8Array {
    return this.#virtual.read(this.#vcpu(vcpu), gva, length);
  }

  writeVirtual(vcpu: number, gva: bigint, data: Uint8Array): number {
    return this.#virtual.write(this.#vcpu(vcpu), gva, data);
  }

  insertBreakpoint(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void {
    if (this.state.kind === 'running') throw new BreakpointError('Stop the guest before changing breakpoints.');
    this.#breakpoints.insert(kind, gva, length, options);
  }

  removeBreakpoint(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void {
    if (this.state.kind === 'running') throw new BreakpointError('Stop the guest before changing breakpoints.');
    this.#breakpoints.remove(kind, gva, length, options);
  }

  stopOn(owner: object, stops: readonly StopOn[]): void {
    const running = this.state.kind === 'running';
    if (running && stops.length > 0) throw new BreakpointError('Stop the guest before changing what stops it.');
    this.#stops.set(owner, stops);
    if (running) this.#run.rearm();
  }

  stopsOf(owner: object): readonly StopOn[] {
    return this.#stops.of(owner);
  }

  recordCalls(owner: object, places: readonly bigint[]): void {
    this.#recorded.set(owner, places);
    this.#run.rearm();
  }

  recordInstructions(owner: object, on: boolean): number {
    if (on && this.state.kind === 'running') throw new BreakpointError('Stop the guest before its code is looked at.');
    if (!on && this.#instructions.of(owner).length === 0) return 0;
    const seesKvm = this.info.personality === 'kvm' && this.#hardware.strategy.vmcallReturns;
    const places = on && seesKvm ? callInstructions(this.#code()) : [];
    this.#instructions.set(owner, places);
    this.#run.rearm();
    return places.length;
  }

  recordedBy(owner: object): readonly bigint[] {
    return this.#recorded.of(owner);
  }

  onPrint(listener: (text: string) => void): Disposable {
    return this.#printed.add(listener);
  }

  resume(actions: readonly ResumeAction[]): void {
    this.#run.resume(actions);
  }

  interrupt(): void {
    this.#run.interrupt();
  }

  kill(): void {
    this.#run.end(killed);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  onStop(listener: (stop: Stop) => void): Disposable {
    return this.#run.onStop.add(listener);
  }

  onState(listener: (state: MachineState) => void): Disposable {
    return this.#run.onState.add(listener);
  }

  async #close(): Promise<void> {
    await Promise.all(this.vcpus.map(({ thread }) => thread.quit()));
    await this.#main.close();
    this.#atomics.close();
    this.snapshots.close();
    this.#hardware.close();
  }

  /** Devices neither see nor wipe out traps; vCPUs are told what these hide then. */
  #deviceMemory(traps: PlantedTraps): GuestMemory {
    return {
      read: (gpa, length) => traps.read(gpa, length),
      write: (gpa, data) => {
        if (traps.among(gpa, data.length)) this.#run.rearm();
        return traps.receive(gpa, data);
      },
    };
  }

  #injected(message: { readonly address: bigint; readonly data: number }): void {
    const { ports, interrupts, clock } = this.#devices;
    ports.lock.hold(() => interrupts.message(clock.now(), 'user', { ...message, taken: true }));
  }

  #vcpu(index: number): MachineVcpu {
    const vcpu = this.vcpus[index];
    if (!vcpu) throw new RangeError(`There is no vCPU ${index}; the machine has ${this.vcpus.length}.`);
    return vcpu;
  }

  /** Guest-physical address by the page tables of the first vCPU that maps `gva`, with another CR3 if one is given. */
  #locate(gva: bigint, cr3?: bigint): number | undefined {
    // A processor that has not been started sees physical memory, which says nothing about the kernel's addresses.
    const paging = this.vcpus.filter(({ registers }) => (registers.get('cr0') & CR0_PG) !== 0n);
    for (const vcpu of paging.length > 0 ? paging : this.vcpus) {
      const gpa = cr3 === undefined ? this.#virtual.locate(vcpu, gva) : this.#translateIn(vcpu, cr3, gva);
      if (gpa !== undefined && this.#hardware.ram.has(Number(gpa))) return Number(gpa);
    }
    return undefined;
  }

  #translateIn({ registers }: MachineVcpu, cr3: bigint, gva: bigint): bigint | undefined {
    return withReads(translate({ ...registers.paging, cr3 }, gva), (gpa, length) => this.memory.read(gpa, length));
  }

  #agentSource(vcpu: MachineVcpu): AgentSource {
    return {
      register: (name) => vcpu.registers.get(name),
      memory: (gva, length) => this.#virtual.read(vcpu, gva, length),
      print: (text) => this.#printed.emit(text),
    };
  }
}
