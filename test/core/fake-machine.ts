/** A machine without KVM: flat memory, plain registers, and stops that the test makes. For tests of the two servers. */
import { AgentVariables, VARIABLE_BYTES } from '../../hypervisor-core/machine/agent-context.ts';
import type {
  BreakpointKind,
  Disposable,
  Machine,
  PhysicalMemory,
  ResumeAction,
  Snapshots,
  Stop,
  Vcpu,
} from '../../hypervisor-core/machine/api.ts';
import { BreakpointError, SnapshotError } from '../../hypervisor-core/machine/api.ts';
import {
  type BreakpointOptions,
  formatBreakpointOptions,
} from '../../hypervisor-core/protocol/agent/breakpoint-options.ts';
import type {
  GuestEnd,
  HypercallRecord,
  InterruptState,
  MachineInfo,
  MachineState,
  MemoryMap,
  SnapshotInfo,
} from '../../hypervisor-core/protocol/inspect.ts';
import type { StopOn } from '../../hypervisor-core/protocol/stop-on.ts';
import { registersByName } from '../../hypervisor-core/protocol/target-description.ts';

type Listener<T> = (value: T) => void;

class Listeners<T> {
  readonly #all = new Set<Listener<T>>();

  add = (listener: Listener<T>): Disposable => {
    this.#all.add(listener);
    return { dispose: () => this.#all.delete(listener) };
  };

  fire(value: T): void {
    for (const listener of [...this.#all]) listener(value);
  }
}

const info: MachineInfo = {
  version: '0.0.0',
  pid: process.pid,
  program: 'fake.elf',
  bootProtocol: 'none',
  cpus: 2,
  memory: 0x10000,
  personality: 'none',
  callSites: 0,
  host: { ok: true, module: 'fake', kernel: '0', apiVersion: 12, trap: 'none', facts: [] },
};

/** Memory is flat, from 0, with physical and virtual addresses the same. */
export class FakeMachine implements Machine {
  readonly info = info;
  readonly ram = new Uint8Array(info.memory);
  readonly vcpus: readonly Vcpu[];
  readonly inserted: string[] = [];
  readonly resumed: (readonly ResumeAction[])[] = [];
  readonly typed: number[] = [];
  readonly printed: number[] = [];
  readonly calls: HypercallRecord[] = [];
  state: MachineState = { kind: 'stopped' };
  closed = false;
  readonly #stops = new Listeners<Stop>();
  readonly #states = new Listeners<MachineState>();
  readonly #output = new Listeners<Uint8Array>();
  readonly #printed = new Listeners<string>();
  readonly variables = new AgentVariables(new SharedArrayBuffer(VARIABLE_BYTES));
  readonly onPrint = this.#printed.add;
  readonly stops = new Map<object, readonly StopOn[]>();
  readonly stopOn = (owner: object, stops: readonly StopOn[]) => {
    if (stops.some(({ kind }) => kind === 'hypercall')) throw new BreakpointError('hypercalls stay in the kernel');
    this.stops.set(owner, stops);
  };
  readonly recorded = new Map<object, readonly bigint[]>();
  readonly recordCalls = (owner: object, places: readonly bigint[]) => {
    if (places.length > 0) this.recorded.set(owner, places);
    else this.recorded.delete(owner);
  };
  readonly instructions = new Set<object>();
  readonly recordInstructions = (owner: object, on: boolean) => {
    if (on && this.state.kind === 'running') throw new BreakpointError('stop it first');
    this.instructions[on ? 'add' : 'delete'](owner);
    return on ? 3 : 0;
  };
  readonly recordedBy = (owner: object) => this.recorded.get(owner) ?? [];
  readonly stopsOf = (owner: object) => this.stops.get(owner) ?? [];

  constructor(cpus: number = info.cpus) {
    this.vcpus = Array.from({ length: cpus }, (_, index) => fakeVcpu(index));
  }

  readonly memory: PhysicalMemory = {
    size: info.memory,
    read: (gpa, length) => this.ram.slice(clip(gpa), clip(gpa + BigInt(length))),
    write: (gpa, data) => {
      const fits = data.subarray(0, clip(gpa + BigInt(data.length)) - clip(gpa));
      this.ram.set(fits, clip(gpa));
      return fits.length;
    },
    host: (gpa) => (gpa < BigInt(info.memory) ? 0x7f00_0000_0000n + gpa : undefined),
  };

  /** Names only. */
  readonly #kept = new Map<string, SnapshotInfo>();
  readonly snapshots: Snapshots = {
    list: () => [...this.#kept.values()],
    take: async (name) => {
      const info = { name, time: 1_500_000, taken: '2026-01-02T03:04:05.678Z', bytes: 3 << 19 };
      this.#kept.set(name, info);
      return info;
    },
    restore: async (name) => {
      if (!this.#kept.has(name)) throw new SnapshotError(`There is no snapshot "${name}".`);
      this.stop({ vcpu: 0, reason: { kind: 'entry' } });
    },
    remove: (name) => void this.#kept.delete(name),
    save: async () => {},
    load: (path) => this.snapshots.take(path),
    startFrom: (name) => this.snapshots.restore(name),
    restart: async () => {
      this.#enter({ kind: 'stopped' });
      this.#stops.fire({ vcpu: 0, reason: { kind: 'entry' } });
    },
  };

  memoryMap(): MemoryMap {
    return {
      regions: [
        { start: '0x0', end: '0x10000', kind: 'ram', name: 'RAM' },
        { start: '0xfffe0000', end: '0x100000000', kind: 'rom', name: 'BIOS' },
      ],
      ports: [{ first: 0x3f8, last: 0x3ff, device: 'serial' }],
    };
  }

  readVirtual = (_vcpu: number, gva: bigint, length: number) => this.memory.read(gva, length);
  writeVirtual = (_vcpu: number, gva: bigint, data: Uint8Array) => this.memory.write(gva, data);

  insertBreakpoint(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void {
    if (kind === 'read') throw new BreakpointError('this host cannot watch reads');
    this.inserted.push(`${kind} ${gva.toString(16)} ${length}${options ? formatBreakpointOptions(options) : ''}`);
  }

  removeBreakpoint(kind: BreakpointKind, gva: bigint, length: number, options?: BreakpointOptions): void {
    const text = `${kind} ${gva.toString(16)} ${length}${options ? formatBreakpointOptions(options) : ''}`;
    const at = this.inserted.indexOf(text);
    if (at < 0) throw new BreakpointError('no such breakpoint');
    this.inserted.splice(at, 1);
  }

  resume(actions: readonly ResumeAction[]): void {
    if (this.state.kind !== 'stopped') throw new Error(`the machine is ${this.state.kind}`);
    this.resumed.push(actions);
    this.#enter({ kind: 'running' });
  }

  /** Text of a breakpoint's command. */
  printFromBreakpoint(text: string): void {
    this.#printed.fire(text);
  }

  /** As on the real machine, the stop comes later. */
  interrupt(): void {
    if (this.state.kind === 'running') setImmediate(() => this.stop({ vcpu: 0, reason: { kind: 'pause' } }));
  }

  kill(): void {
    this.end({ cause: 'killed', exitStatus: 137, message: 'killed' });
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  onStop = this.#stops.add;
  onState = this.#states.add;

  readonly console = {
    history: () => Uint8Array.from(this.printed),
    input: (data: Uint8Array) => {
      this.typed.push(...data);
    },
    onOutput: this.#output.add,
  };

  readonly serialPorts = [this.console];
  readonly firmwareLog = this.console;
  messages = () => [];
  interruptLog = (limit: number) => ({ time: 5, records: [], total: limit, counts: [{ vector: 0x20, count: 3 }] });
  devices = () => [{ device: 'COM1', registers: [{ name: 'IER', value: '0x0' as const }] }];

  tracers = 0;

  readonly exits = {
    trace: () => {
      this.tracers++;
      return { from: [0], dispose: () => this.tracers-- };
    },
    read: (from: readonly number[]) => ({ records: [], next: from, dropped: 0, total: 0 }),
    counters: () => [],
    times: () => [],
  };

  readonly hypercalls = {
    read: (from: number, limit: number) => ({
      records: this.calls.filter(({ sequence }) => sequence >= from).slice(0, limit),
      dropped: 0,
      total: this.calls.length,
    }),
  };

  /** The guest stops. */
  stop(stop: Stop): void {
    if (this.state.kind !== 'running') return;
    this.#enter({ kind: 'stopped' });
    this.#stops.fire(stop);
  }

  /** The guest is gone. */
  end(end: GuestEnd): void {
    if (this.state.kind !== 'ended') this.#enter({ kind: 'ended', end });
  }

  print(text: string): void {
    const bytes = Buffer.from(text);
    this.printed.push(...bytes);
    this.#output.fire(bytes);
  }

  call(name: string): void {
    const sequence = this.calls.length;
    this.calls.push({
      sequence,
      time: 1000 * sequence,
      vcpu: 0,
      cpl: 0,
      rip: '0x1000',
      abi: 'xen',
      number: '0x11',
      code: '0x11',
      name,
      arguments: [{ name: 'cmd', value: '0x0' }],
      result: '0x4000a',
      duration: 1,
    });
  }

  #enter(state: MachineState): void {
    this.state = state;
    this.#states.fire(state);
  }
}

function clip(address: bigint): number {
  return Number(address < BigInt(info.memory) ? address : BigInt(info.memory));
}

function fakeVcpu(index: number): Vcpu {
  const values = new Map([...registersByName.values()].map(({ name, bits }) => [name, new Uint8Array(bits / 8)]));
  const value = (name: string) => {
    const bytes = values.get(name);
    if (!bytes) throw new Error(`no register ${name}`);
    return bytes;
  };
  return {
    index,
    registers: { read: (name) => value(name).slice(), write: (name, bytes) => value(name).set(bytes) },
    interrupts: () => interrupts(index),
    inject: (vector) => {
      if (vector === 0x66) throw new RangeError('the local APIC of vCPU 0 takes no interrupts');
    },
    msrs: () => [{ index: 0xc0000082, name: 'LSTAR', value: '0xffffffff81000000' }],
    writeMsr: (msr) => {
      if (msr !== 0xc0000082) throw new Error(`no MSR 0x${msr.toString(16)}`);
    },
    translate: (gva) => (gva < BigInt(info.memory) ? gva : undefined),
  };
}

const interrupts = (vcpu: number): InterruptState => ({
  vcpu,
  pic: [],
  pit: [],
  pending: {
    interruptShadow: false,
    nmi: { pending: false, injected: false, masked: false },
    smi: { pending: false, inSmm: false },
    mpState: vcpu === 0 ? 'running' : 'halted',
  },
});
