/** Guests of a few bytes for tests of the machine: long mode at CPL 0, code at 1 MiB, the first 2 MiB mapped at 0. */
import type { BootImage, BootSegment, SegmentState } from '../../hypervisor-core/boot/boot-image.ts';
import type { Machine, ResumeAction, Stop, Vcpu } from '../../hypervisor-core/machine/api.ts';
import { createMachine, type MachineOptions } from '../../hypervisor-core/machine/machine.ts';
import type { GuestEnd, MachineState } from '../../hypervisor-core/protocol/inspect.ts';

export const CODE = 0x100000n;
export const DATA = 0x180000n;
export const HANDLER = 0x140000n;
/** Virtual address that {@link DATA}'s 2 MiB page is mapped at a second time. */
export const HIGH = 0xffff_ffff_8000_0000n;
const TABLES = 0x1000n;
const GDT = 0x8000n;
const IDT = 0x9000n;
const TSS = 0xb000n;
/** In the TSS: the map of ports 0 to 0xff, all open to user code, where the limit reaches to its end. */
const [IO_MAP, IO_MAP_END] = [0x68, 0x88];
const STACK = 0x80000n;

const words = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);
const segment = (gpa: bigint, bytes: Uint8Array): BootSegment => ({ gpa, bytes, name: 'test' });

/** A table of 512 entries of which a few are set. */
function table(entries: Readonly<Record<number, bigint>>): Uint8Array {
  const values = new BigUint64Array(512);
  for (const [index, entry] of Object.entries(entries)) values[Number(index)] = entry;
  return new Uint8Array(values.buffer);
}

export interface TinyGuest {
  /** Machine code at {@link CODE}. */
  readonly code: readonly number[];
  /** The file says that it is code, as one with section headers does. */
  readonly codeSections?: boolean;
  /** Code at {@link HANDLER}, which the IDT names for these vectors. */
  readonly handler?: readonly number[];
  readonly vectors?: readonly number[];
  /** Other handlers, by vector, beside those. */
  readonly handlers?: Readonly<Record<number, bigint>>;
  /** More bytes to place. */
  readonly more?: readonly BootSegment[];
  /** Starts at CPL 3, with a stack for the handler. */
  readonly user?: boolean;
  /** Has an I/O map by which user code may use ports below 0x100. */
  readonly ioMap?: boolean;
  /** What the page directory entry for 1 GiB holds, to reach other memory. */
  readonly at1GiB?: bigint;
}

export function tinyImage({
  code,
  codeSections = false,
  handler = [0xf4],
  vectors = [],
  handlers = {},
  more = [],
  at1GiB = 0n,
  user = false,
  ioMap = false,
}: TinyGuest): BootImage {
  const flat = { base: 0n, limit: 0xffff_ffff, s: 1, dpl: user ? 3 : 0, present: 1, g: 1 };
  const data: SegmentState = { ...flat, selector: user ? 0x1b : 0x10, type: 3, l: 0, db: 1 };
  const system = { selector: 0, base: 0n, s: 0, dpl: 0, present: 1, l: 0, db: 0, g: 0 };
  const WRITABLE = user ? 7n : 3n;
  const LARGE = 0x80n;
  const idt = new BigUint64Array(256 * 2);
  const setGate = (vector: number, at: bigint) => {
    const INTERRUPT_GATE = 0x8en;
    idt[2 * vector] = (at & 0xffffn) | (0x08n << 16n) | (INTERRUPT_GATE << 40n) | (((at >> 16n) & 0xffffn) << 48n);
  };
  for (const vector of vectors) setGate(vector, HANDLER);
  for (const [vector, at] of Object.entries(handlers)) setGate(Number(vector), at);
  return {
    protocol: 'elf64',
    description: 'a test guest',
    zeroed: [],
    segments: [
      {
        ...segment(CODE, Uint8Array.from(code)),
        ...(codeSections && { code: { bits: 64, ranges: [{ start: 0, end: code.length }] } }),
      },
      segment(HANDLER, Uint8Array.from(handler)),
      segment(TABLES, table({ 0: (TABLES + 0x1000n) | WRITABLE, 511: (TABLES + 0x4000n) | WRITABLE })),
      segment(
        TABLES + 0x1000n,
        table({ 0: (TABLES + 0x2000n) | WRITABLE, 1: (TABLES + 0x3000n) | WRITABLE, 3: (TABLES + 0x5000n) | WRITABLE }),
      ),
      segment(TABLES + 0x2000n, table({ 0: WRITABLE | LARGE })),
      segment(TABLES + 0x3000n, table({ 0: at1GiB })),
      segment(TABLES + 0x4000n, table({ 510: (TABLES + 0x2000n) | WRITABLE })),
      // The local APIC's registers at 0xfee0_0000, uncached.
      segment(TABLES + 0x5000n, table({ 503: 0xfee0_0000n | WRITABLE | LARGE | 0x18n })),
      segment(
        GDT,
        words(0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn, 0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn),
      ),
      // RSP0, at offset 4 of the TSS.
      segment(TSS + 4n, words(STACK - 0x1000n)),
      // The I/O map base, at offset 102, and the byte of ones that ends a map.
      segment(TSS + 102n, Uint8Array.of(IO_MAP, 0)),
      segment(TSS + BigInt(IO_MAP_END), Uint8Array.of(0xff)),
      segment(IDT, new Uint8Array(idt.buffer)),
      ...more,
    ],
    cpu: {
      mode: 'long',
      general: { rip: CODE, rsp: STACK, rflags: 2n, rdi: DATA },
      segments: {
        cs: { ...flat, selector: user ? 0x23 : 0x08, type: 11, l: 1, db: 0 },
        ...{ ds: data, es: data, fs: data, gs: data, ss: data },
        tr: { ...system, base: TSS, limit: ioMap ? IO_MAP_END : IO_MAP - 1, type: 11 },
        ldt: { ...system, limit: 0, type: 2 },
      },
      gdt: { base: GDT, limit: 0x27 },
      idt: vectors.length > 0 ? { base: IDT, limit: 0xfff } : { base: 0n, limit: 0 },
      cr0: 0x8000_0031n,
      cr3: TABLES,
      cr4: 0x20n,
      efer: 0x500n,
    },
  };
}

/** A machine under a test's hand: every stop is waited for. */
export class Session {
  readonly machine: Machine;
  readonly #events: (Stop | GuestEnd)[] = [];
  #waiting: ((event: Stop | GuestEnd) => void) | undefined;

  private constructor(machine: Machine) {
    this.machine = machine;
    machine.onStop((stop) => this.#tell(stop));
    machine.onState((state: MachineState) => {
      if (state.kind === 'ended') this.#tell(state.end);
    });
  }

  /** Over a machine that stands still. */
  static over(machine: Machine): Session {
    return new Session(machine);
  }

  static start(guest: TinyGuest, options: Partial<MachineOptions> = {}): Promise<Session> {
    return Session.startImage(tinyImage(guest), options);
  }

  static async startImage(image: BootImage, options: Partial<MachineOptions> = {}): Promise<Session> {
    const boot = { name: 'test guest', image };
    return new Session(await createMachine({ boot, memory: 4 << 20, cpus: 1, ...options }));
  }

  get vcpu(): Vcpu {
    return this.machine.vcpus[0]!;
  }

  register(name: string, vcpu = 0): bigint {
    return this.machine.vcpus[vcpu]!.registers.read(name).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  setRegister(name: string, value: bigint): void {
    const { registers } = this.vcpu;
    registers.write(name, words(value).subarray(0, registers.read(name).length));
  }

  /** Lets all vCPUs go, or steps vCPU 0 alone, and gives what stops them. */
  async go(action: ResumeAction['action'] = { kind: 'continue' }): Promise<Stop['reason']> {
    const actions: ResumeAction[] =
      action.kind === 'continue'
        ? this.machine.vcpus.map(({ index }) => ({ vcpu: index, action }))
        : [{ vcpu: 0, action }];
    this.machine.resume(actions);
    const event = await this.next();
    if (!('reason' in event)) throw new Error(`the guest ended: ${event.message}`);
    return event.reason;
  }

  /** Lets all vCPUs go and gives the guest's end. */
  async goToEnd(): Promise<GuestEnd> {
    this.machine.resume(this.machine.vcpus.map(({ index }) => ({ vcpu: index, action: { kind: 'continue' } })));
    const event = await this.next();
    if ('reason' in event) throw new Error(`the guest stopped: ${event.reason.kind}`);
    return event;
  }

  /** The next stop or end. */
  next(): Promise<Stop | GuestEnd> {
    const ready = this.#events.shift();
    if (ready) return Promise.resolve(ready);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #tell(event: Stop | GuestEnd): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(event);
    else this.#events.push(event);
  }
}

/** Runs a test over a session and closes it whatever happens. */
export async function withSession(
  guest: TinyGuest,
  body: (session: Session) => Promise<void>,
  options: Partial<MachineOptions> = {},
): Promise<void> {
  const session = await Session.start(guest, options);
  try {
    await body(session);
  } finally {
    await session.machine.close();
  }
}

/** Little-endian bytes of a 32-bit operand. */
export const imm32 = (value: bigint | number): number[] => [
  ...new Uint8Array(Uint32Array.of(Number(BigInt.asUintN(32, BigInt(value)))).buffer),
];
