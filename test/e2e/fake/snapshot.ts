/** A machine's state as a well-behaved adapter would send it, for tests of the views that need no KVM. */
import { deflateSync } from 'node:zlib';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type {
  AddressMapping,
  AddressSpacePart,
  ExitCount,
  ExitReason,
  ExitRecord,
  ExitsPart,
  ExitTracePart,
  Hex,
  HypercallRecord,
  HypercallsPart,
  InterruptsPart,
  LinuxIrq,
  LinuxTimer,
  MemoryMapPart,
  PagesChoice,
  PageTableEntry,
  PageTableRoot,
  RegisterGroup,
  ScreenUpdate,
  TaskFrame,
  TasksPart,
  VcpusPart,
  Walk,
  XenDomain,
} from '../../../debug-adapter/protocol/custom.ts';
import { decodeMessage } from '../../../hypervisor-core/interrupts/message.ts';
import { hex } from '../../../hypervisor-core/protocol/hex.ts';

const KERNEL = 0xffffffff80000000n;

/** Of the frame that called the innermost one. */
export const callerRegisters: readonly RegisterGroup[] = [
  {
    name: 'General',
    registers: [{ name: 'rip', bits: 64, value: hex(KERNEL + 0x20n), symbol: 'start+0x20', writable: false }],
    lost: ['rax'],
  },
];

/** Where code begins that has no source. */
const SOURCELESS = KERNEL + 0x4000n;

/** Instructions of a byte each; `source` is where that at `base` comes from. */
export function instructions(
  base: bigint,
  offset: number,
  count: number,
  source: Pick<DebugProtocol.DisassembledInstruction, 'location' | 'line'>,
): DebugProtocol.DisassembledInstruction[] {
  return Array.from({ length: count }, (_, index) => {
    const address = base + BigInt(offset + index);
    return {
      ...{ address: hex(address), instructionBytes: '90', instruction: 'nop' },
      ...(address === base && base < SOURCELESS && source),
    };
  });
}

/** RIP moves with each stop and RAX counts them: that is what views must mark. */
export function registers(stop: number): RegisterGroup[] {
  const plain = (name: string, value: bigint) => ({ name, bits: 64, value: hex(value), writable: true });
  const bit = (name: string, low: number, value: number, description: string) => ({
    name,
    description,
    high: low,
    low,
    value,
  });
  return [
    {
      name: 'General',
      registers: [
        plain('rax', BigInt(stop)),
        plain('rbx', 0x10n),
        { ...plain('rsp', KERNEL + 0x9fe8n), symbol: 'boot_stack+0x3fe8' },
        { ...plain('rip', KERNEL + 0x1000n + BigInt(stop) * 4n), symbol: `kernel_main+0x${(stop * 4).toString(16)}` },
        {
          name: 'rflags',
          bits: 64,
          value: '0x246',
          writable: true,
          fields: [
            bit('CF', 0, 0, 'carry'),
            bit('ZF', 6, 1, 'zero'),
            bit('IF', 9, 1, 'interrupts enabled'),
            { name: 'IOPL', description: 'I/O privilege level', high: 13, low: 12, value: 0 },
          ],
        },
      ],
    },
    {
      name: 'Control',
      registers: [
        {
          ...plain('cr0', 0x80010033n),
          fields: [bit('PE', 0, 1, 'protected mode'), bit('WP', 16, 1, 'write protect'), bit('PG', 31, 1, 'paging')],
        },
        plain('cr3', 0x103000n),
      ],
    },
  ];
}

const entry = (more: Partial<PageTableEntry> & Pick<PageTableEntry, 'index' | 'level' | 'name'>): PageTableEntry => ({
  raw: '0x104003',
  address: '0x0',
  size: '0x8000000000',
  target: '0x104000',
  leaf: false,
  flags: ['P', 'W', 'A'],
  ...more,
});

export const pageTables: PageTableRoot = {
  mode: '4-level',
  cr3: '0x103000',
  levels: 4,
  entries: [
    entry({ index: 0, level: 4, name: 'PML4E' }),
    entry({ index: 511, level: 4, name: 'PML4E', address: '0xffffff8000000000', target: '0x107000', raw: '0x107003' }),
  ],
};

/** Entries below `path`: one table of each level, a 2 MiB page at the lowest but one. */
export function pageTable(path: readonly number[]): PageTableEntry[] {
  const level = 4 - path.length;
  const names = ['', 'PTE', 'PDE', 'PDPTE'];
  const leaf = level === 2;
  const size = 1n << BigInt(12 + (level - 1) * 9);
  const name = names[level] ?? 'PTE';
  return [0, 1].map((index) =>
    entry({
      index,
      level,
      name,
      leaf,
      size: hex(size),
      address: hex(BigInt(index) * size),
      target: leaf ? hex(BigInt(index) * size) : '0x105000',
      flags: leaf ? ['P', 'W', 'A', 'D', 'PS', 'G'] : ['P', 'W', 'A'],
      raw: hex(BigInt(index) * size + 0xe3n),
      ...(leaf && index === 0 ? { symbol: 'kernel_start' } : {}),
    }),
  );
}

export function walk(address: bigint): Walk {
  return {
    address: hex(address),
    mode: '4-level',
    steps: [
      { entry: pageTables.entries[1] ?? entry({ index: 511, level: 4, name: 'PML4E' }), at: '0x103ff8' },
      { entry: entry({ index: 510, level: 3, name: 'PDPTE' }), at: '0x107ff0' },
      {
        entry: entry({ index: 0, level: 2, name: 'PDE', leaf: true, flags: ['P', 'W', 'A', 'D', 'PS'] }),
        at: '0x108000',
      },
    ],
    result: {
      kind: 'mapped',
      physical: hex(address & 0x1fffffn),
      size: '0x200000',
      flags: ['W', 'X'],
      accesses: [
        { access: 'supervisor write' },
        { access: 'user read', fault: 'A supervisor page (U/S = 0) is not for CPL 3.' },
      ],
    },
  };
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** [start, bytes, flags, bytes of a page, physical, region] */
const ranges: readonly (readonly [bigint, number, string, number, number, string])[] = [
  [0x40_0000n, 128 * KIB, 'P U', 4 * KIB, 0x80_0000, ''],
  [0x42_0000n, 64 * KIB, 'P W U NX', 4 * KIB, 0x82_0000, ''],
  [0x7fff_0000_0000n, 8 * KIB, '', 4 * KIB, 0, ''],
  [0x7fff_0000_2000n, 132 * KIB, 'P W U', 4 * KIB, 0x84_0000, ''],
  [0xffff_8880_0000_0000n, 256 * MIB, 'P W G NX', 2 * MIB, 0, ''],
  [KERNEL, 4 * MIB, 'P G', 2 * MIB, 16 * MIB, '.text'],
  [KERNEL + 0x40_0000n, 2 * MIB, 'P W G NX', 2 * MIB, 20 * MIB, '.data .bss'],
  [KERNEL + 0x60_0000n, 16 * KIB, 'P W', 4 * KIB, 22 * MIB, '.init.text'],
  [0xffff_ffff_ff5f_d000n, 4 * KIB, 'P W PCD G NX', 4 * KIB, 0xfee0_0000, ''],
];

const portion = (bytes: number, part: number) => hex(Math.floor(bytes * part));

/** `stop` makes what has happened since the first. */
export function addressSpace(stop: number, { cr3, since }: PagesChoice = {}): AddressSpacePart {
  const cells = ranges.flatMap(([start, bytes, flags]) => {
    if (flags === '') return [];
    const size = Math.min(bytes, 2 * MIB);
    return Array.from({ length: Math.ceil(bytes / (2 * MIB)) }, (_, index) => ({
      start: hex((start & -0x20_0000n) + BigInt(index * 2 * MIB)),
      mapped: hex(size),
      accessed: portion(size, Math.max(0, Math.sin(index) * stop * 0.4)),
      dirty: portion(size, Math.max(0, Math.sin(index * 2) * stop * 0.2)),
    }));
  });
  const earlier = Array.from({ length: stop - 1 }, (_, index) => ({
    scan: index + 1,
    title: `line_${index + 1}+0x4, vCPU 0`,
  }));
  return {
    mode: '4-level',
    cr3: cr3 ?? '0x103000',
    current: cr3 === undefined,
    scan: stop,
    ranges: ranges.map(([start, bytes, flags, page, physical, region]) => ({
      start: hex(start),
      size: hex(bytes),
      flags: flags === '' ? [] : flags.split(' '),
      pageSize: hex(page),
      ...(flags === '' ? {} : { physical: hex(physical) }),
      accessed: portion(bytes, flags === '' ? 0 : 0.5),
      dirty: portion(bytes, flags.includes('W') ? 0.25 : 0),
      ...(region === '' ? {} : { region }),
    })),
    heat: { cellSize: hex(2 * MIB), cells },
    tables: 14,
    truncated: false,
    earlier,
    ...(stop > 1
      ? {
          diff: {
            since: since ?? stop - 1,
            truncated: false,
            changes: [
              {
                kind: 'mapped',
                start: '0x7fff00004000',
                size: '0x1000',
                after: { physical: '0x845000', flags: ['P', 'W', 'U', 'NX'] },
              },
              {
                kind: 'rights',
                start: hex(KERNEL + 0x60_0000n),
                size: '0x4000',
                before: { physical: '0x1600000', flags: ['P', 'W'] },
                after: { physical: '0x1600000', flags: ['P', 'NX'] },
                region: '.init.text',
              },
              {
                kind: 'used',
                start: hex(KERNEL + 0x40_0000n),
                size: '0x200000',
                before: { physical: '0x1400000', flags: ['P', 'W', 'G', 'NX', 'A'] },
                after: { physical: '0x1400000', flags: ['P', 'W', 'G', 'NX', 'A', 'D'] },
                region: '.data .bss',
              },
            ],
          },
        }
      : {}),
  };
}

export function mappings(physical: bigint): readonly AddressMapping[] {
  return [0xffff_8880_0000_0000n, KERNEL].map((base) => ({
    address: hex(base + physical),
    flags: ['P', 'W', 'G'],
    pageSize: hex(2 * MIB),
  }));
}

const interruptLog: InterruptsPart['log'] = {
  time: 4_000_000,
  total: 1240,
  records: [
    {
      ...{ sequence: 1236, time: 2_500_000, source: 'message', device: 'virtio-blk MSI-X 0', outcome: 'requested' },
      ...{ route: decodeMessage(0xfee0_0000n, 0x41), vcpus: [0] },
    },
    { sequence: 1237, time: 3_000_000, source: 'line', device: 'COM1', line: 4, outcome: 'masked', vcpus: [] },
    {
      ...{ sequence: 1238, time: 3_250_000, source: 'line', device: 'COM1', line: 4, outcome: 'requested' },
      ...{ route: decodeMessage(0xfee0_0000n, 0x24), picVector: 0x2c, vcpus: [0] },
    },
    {
      ...{ sequence: 1239, time: 3_500_000, source: 'user', outcome: 'requested' },
      ...{ route: decodeMessage(0xfee0_0000n, 0x400), vcpus: [0] },
    },
  ],
  counts: [
    { vector: 0x24, count: 4 },
    { vector: 0x41, count: 1234 },
  ],
  injections: [{ vcpu: 0, interrupts: 4800, nmis: 1 }],
};

export const interrupts: InterruptsPart = {
  log: interruptLog,
  vcpu: 0,
  lapic: {
    base: '0xfee00000',
    mode: 'xapic',
    softwareEnabled: true,
    id: 0,
    version: 0x50014,
    tpr: 0,
    ppr: 0,
    ldr: 0,
    dfr: 0xffffffff,
    svr: 0x1ff,
    esr: 0,
    icr: '0x0',
    irr: [0x20],
    isr: [],
    tmr: [],
    lvt: [
      { name: 'Timer', raw: 0x20020, vector: 0x20, delivery: 'fixed', masked: false, pending: false },
      { name: 'LINT0', raw: 0x10700, vector: 0, delivery: 'ExtINT', masked: true, pending: false },
    ],
    timer: { mode: 'periodic', initialCount: 100000, currentCount: 4242, divide: 16, left: 67_872 },
  },
  ioapic: {
    id: 0,
    base: '0xfec00000',
    version: 0x11,
    select: 0,
    pins: Array.from({ length: 24 }, (_, pin) => ({
      pin,
      raw: pin === 4 ? '0x24' : '0x10000',
      vector: pin === 4 ? 0x24 : 0,
      delivery: 'fixed',
      destinationMode: 'physical',
      destination: 0,
      trigger: 'edge',
      polarity: 'high',
      masked: pin !== 4,
      remoteIrr: false,
      pending: false,
      asserted: false,
    })),
  },
  pic: ['master', 'slave'].map((name, index) => ({
    name: name as 'master' | 'slave',
    irr: 1,
    isr: 0,
    imr: 0xff,
    vectorBase: 0x20 + index * 8,
    autoEoi: false,
    elcr: 0,
    highestPriority: 0,
    readsIsr: false,
    fullyNested: false,
    initialized: true,
  })),
  messages: [
    {
      ...{
        device: 'virtio-blk',
        index: 0,
        address: '0xfee00000',
        data: 0x41,
        masked: false,
        pending: false,
        sent: 1234,
      },
      last: { time: 2_500_000, address: '0xfee00000', data: 0x41, taken: true },
      route: decodeMessage(0xfee0_0000n, 0x41),
    },
    {
      ...{ device: 'virtio-blk', index: 1, address: '0xfee0300c', data: 0x31, masked: true, pending: false, sent: 2 },
      last: { time: 1_500_000, address: '0xfee05000', data: 0x30, taken: false },
      route: decodeMessage(0xfee0_300cn, 0x31),
      lastRoute: decodeMessage(0xfee0_5000n, 0x30),
    },
  ],
  pit: [{ channel: 0, mode: 2, count: 11932, gate: true }],
  pending: {
    interrupt: { vector: 0x20, soft: false },
    interruptShadow: false,
    nmi: { pending: false, injected: false, masked: false },
    smi: { pending: false, inSmm: false },
    mpState: 'running',
  },
  linux: true,
  waiting: [
    {
      source: 'local APIC',
      vector: 0x20,
      links: [
        { name: 'priority', holds: false, text: 'above the processor priority' },
        { name: 'RFLAGS.IF', holds: true, text: '0: interrupts are off' },
      ],
    },
  ],
  idt: [
    [14, '#PF', 'page_fault_entry'],
    [0x20, '', 'timer_entry'],
    [0x24, '', 'serial_entry'],
  ].map(([vector, name, symbol]) => ({
    vector: Number(vector),
    name: `${name}`,
    present: true,
    handler: hex(KERNEL + 0x2000n + BigInt(Number(vector)) * 16n),
    selector: 8,
    type: 'interrupt gate',
    dpl: 0,
    ist: vector === 14 ? 1 : 0,
    symbol: `${symbol}`,
  })),
};

export const memoryMap: MemoryMapPart = {
  regions: [
    { start: '0x0', end: '0xa0000', kind: 'ram', name: 'low RAM' },
    { start: '0x100000', end: '0x10000000', kind: 'ram', name: 'RAM' },
    { start: '0x100000', end: '0x10000000', kind: 'told', name: 'usable', detail: 'e820' },
    {
      ...{ start: '0x100000', end: '0x11c000', kind: 'image', name: 'kernel.elf', detail: '.text .rodata .data' },
      virtual: hex(KERNEL),
    },
    {
      ...{ start: '0xc0000000', end: '0xc0030000', kind: 'framebuffer' },
      ...{ name: 'Framebuffer 256 × 192, 32 bits a pixel', detail: 'XRGB8888, 1024 bytes a row' },
      screen: { width: 256, height: 192, stride: 1024, format: 'XRGB8888' },
    },
    { start: '0xfec00000', end: '0xfec01000', kind: 'mmio', name: 'I/O APIC' },
    { start: '0xfee00000', end: '0xfee01000', kind: 'mmio', name: 'Local APIC' },
  ],
  ports: [
    { first: 0x3f8, last: 0x3ff, device: '16550 serial port COM1' },
    { first: 0xf4, last: 0xf4, device: 'debug exit' },
  ],
  pageTables: [{ start: '0x103000', end: '0x109000', kind: 'tables', name: 'page tables', detail: '6 tables' }],
};

/** Versions of the picture at one stop, and milliseconds for which the guest runs between two. */
const [VERSIONS, CHANGES_MS] = [100_000, 50];

/** Red grows to the right, green downwards, and blue is the number of the stop. The first row is drawn while the guest runs. */
export function screenUpdate(known: number, stop: number, ran: number): ScreenUpdate {
  const screen = { width: 256, height: 192, stride: 1024, format: 'XRGB8888' } as const;
  const version = stop * VERSIONS + Math.floor(ran / CHANGES_MS) + 1;
  const count = Math.floor(known / VERSIONS) === stop ? 1 : screen.height;
  const bytes = Buffer.alloc(count * screen.stride);
  for (let pixel = 0; pixel < bytes.length / 4; pixel++) {
    const [x, y] = [pixel % screen.width, Math.trunc(pixel / screen.width)];
    bytes.set([y === 0 ? version % 256 : stop, y, x, 0], pixel * 4);
  }
  const rest = { screen, version, more: false };
  if (known === version) return { ...rest, rows: [], data: '' };
  return { ...rest, rows: [{ first: 0, count }], data: deflateSync(bytes).toString('base64') };
}

export const tasks: TasksPart = {
  tasks: [
    { pid: 0, tgid: 0, parent: 0, comm: 'swapper/0', state: 'R', cpu: 0, flags: 0x200002, threadId: 1 },
    { pid: 1, tgid: 1, parent: 0, comm: 'init', state: 'S', cpu: 0, flags: 0x400100 },
    { pid: 7, tgid: 1, parent: 0, comm: 'init-worker', state: 'D', cpu: 0, flags: 0x400140 },
  ].map((task, index) => ({
    ...task,
    address: hex(KERNEL + 0x10000n * BigInt(index + 1)),
    stack: hex(KERNEL + 0x80000n + 0x4000n * BigInt(index)),
  })),
};

export const taskFrames: readonly TaskFrame[] = [
  { address: hex(KERNEL + 0x500n), name: '__schedule', file: 'kernel/sched/core.c', line: 5300 },
  { address: hex(KERNEL + 0x600n), name: 'ret_from_fork+0x22' },
];

export const kernelLog = '[    0.000000] Linux version 6.1.0\n[    0.250000] Run /init as init process\n';

/** Calls `from` up to, not including, `to`, of `total`. */
export function hypercalls(from: number, to: number, total = to): HypercallsPart {
  const names = ['console_io', 'sched_op', 'event_channel_op', 'vcpu_op'];
  const records = Array.from({ length: Math.max(0, to - from) }, (_, index): HypercallRecord => {
    const sequence = from + index;
    return {
      sequence,
      time: sequence * 1000 + 250_000,
      vcpu: 0,
      cpl: 0,
      rip: '0xffffffff80009020',
      caller: hex(KERNEL + 0x1234n),
      abi: 'xen',
      number: hex(18 + (sequence % names.length)),
      code: hex(18 + (sequence % names.length)),
      name: names[sequence % names.length] ?? '',
      arguments: [
        { name: 'cmd', value: '0x0', text: 'write' },
        { name: 'count', value: hex(sequence) },
      ],
      result: '0x0',
      duration: 12.5,
    };
  });
  return { records, dropped: 0, total, symbols: { [hex(KERNEL + 0x1234n)]: 'say_hello+0x34' } };
}

interface ExitKind {
  readonly reason: ExitReason;
  readonly place: Pick<ExitRecord, 'address' | 'device' | 'register'>;
  readonly rip: Hex;
  readonly symbol?: string;
}

const exitKinds: readonly ExitKind[] = [
  {
    reason: 'port-out',
    place: { address: '0x3f8', device: 'COM1', register: 'THR' },
    rip: hex(KERNEL + 0x2040n),
    symbol: 'serial_put+0x20',
  },
  {
    reason: 'port-in',
    place: { address: '0x3fd', device: 'COM1', register: 'LSR' },
    rip: hex(KERNEL + 0x2032n),
    symbol: 'serial_put+0x12',
  },
  { reason: 'mmio-write', place: { address: '0xfee000b0' }, rip: hex(KERNEL + 0x3010n), symbol: 'lapic_eoi+0x10' },
  { reason: 'msr-write', place: { address: '0x40000000', device: 'MSR' }, rip: hex(KERNEL + 0x4000n) },
];

/** Exits that two vCPUs have made in `ran` milliseconds: one of the first kind a millisecond, fewer of the others. */
export function exits(ran: number): ExitsPart {
  const counts = exitKinds.flatMap(({ reason, place, rip, symbol }, index): ExitCount[] => {
    const count = Math.ceil(ran / (1 << index)) + 1;
    const numbers = { count, time: count * (10 + index) };
    return [
      { kind: 'reason', reason, ...numbers },
      { kind: 'place', reason, ...place, ...numbers },
      { kind: 'rip', reason, address: rip, ...numbers, ...(symbol !== undefined && { symbol }) },
    ];
  });
  return { counts, ran: ran * 2000, vcpus: 2 };
}

/** Exits `from` up to, not including, `to`, all of vCPU 0. */
export function exitTrace(from: number, to: number): ExitTracePart {
  const records = Array.from({ length: Math.max(0, to - from) }, (_, index): ExitRecord => {
    const sequence = from + index;
    const { reason, place, rip } = exitKinds[sequence % exitKinds.length] as ExitKind;
    const access = { ...place, size: 1, count: 1, value: hex(0x40 + (sequence % 32)) };
    return { sequence, vcpu: 0, time: sequence * 1000, duration: 11.5, reason, rip, ...access };
  });
  const named = exitKinds.flatMap(({ rip, symbol }) => (symbol === undefined ? [] : [[rip, symbol] as const]));
  return { records, next: [Math.max(from, to), 0], dropped: 0, total: to, symbols: Object.fromEntries(named) };
}

/** Two vCPUs after `ran` milliseconds: one busy, one halted. */
export function vcpus(ran: number, running: boolean): VcpusPart {
  const at = (offset: bigint, symbol: string, task: string) =>
    running ? {} : { rip: hex(KERNEL + offset), symbol, task };
  const spent = ran * 1000;
  return {
    vcpus: [
      {
        thread: 1,
        activity: running ? 'in the guest' : 'stopped',
        clock: { guest: spent * 0.8, host: spent * 0.15, halted: 0, steal: spent * 0.05 },
        exits: Math.ceil(ran * 2),
        hostThread: 4711,
        statistics: { exits: Math.ceil(ran * 3), io_exits: Math.ceil(ran * 2) },
        ...at(0x1004n, 'kernel_main+0x4', 'init (1)'),
      },
      {
        thread: 2,
        activity: 'halted',
        clock: { guest: spent * 0.02, host: 0, halted: spent * 0.98, steal: 0 },
        exits: 12,
        hostThread: 4712,
        statistics: { exits: 40, halt_exits: 12 },
        ...at(0x5008n, 'cpu_idle+0x8', 'swapper/1 (0)'),
      },
    ],
  };
}

export const whatIs = [
  'task_struct of init (1), offset 0x274',
  'slab object task_struct+0x274, of 4032 bytes at 0xffff888003a50fc0',
  'RAM, guest-physical 0x3a51234; page flags: slab, head',
];

export const linuxIrqs: readonly LinuxIrq[] = [
  {
    number: 4,
    hardware: 4,
    chip: 'IO-APIC',
    flow: 'edge',
    counts: [1204, 3],
    actions: [{ name: 'ttyS0', handler: '0xffffffff81612340', symbol: 'serial8250_interrupt' }],
  },
];

export const linuxTimers: readonly LinuxTimer[] = [
  {
    cpu: 1,
    address: '0xffff88801f41d5c0',
    function: '0xffffffff81123450',
    symbol: 'tick_sched_timer',
    expires: '12345678000',
    clock: 'monotonic',
  },
];

export const xenDomain: XenDomain = {
  id: 0,
  abi: 'FIFO',
  channels: [
    { port: 1, state: 'virq', detail: 0, pending: true, masked: false },
    { port: 2, state: 'pirq', detail: 9, pending: false, masked: true },
    { port: 3, state: 'ipi', pending: false, masked: false },
  ],
  vcpus: [
    {
      ...{ id: 0, processor: 1, pending: true, masked: true },
      traps: [
        {
          ...{ vector: 14, name: '#PF page fault', handler: '0xffffffff81c01b00', selector: 0xe033 },
          ...{ dpl: 0, masksEvents: true },
        },
      ],
    },
    { id: 1, processor: 0, pending: false, masked: false, traps: [] },
  ],
};
