/** A machine's state as a well-behaved adapter would send it, for tests of the views that need no KVM. */
import type {
  HypercallRecord,
  HypercallsPart,
  InterruptsPart,
  MemoryMapPart,
  PageTableEntry,
  PageTableRoot,
  RegisterGroup,
  Walk,
} from '../../../debug-adapter/protocol/custom.ts';
import { hex } from '../../../hypervisor-core/protocol/hex.ts';

const KERNEL = 0xffffffff80000000n;

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
    result: { kind: 'mapped', physical: hex(address & 0x1fffffn), size: '0x200000', flags: ['W', 'X'] },
  };
}

export const interrupts: InterruptsPart = {
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
    timer: { mode: 'periodic', initialCount: 100000, currentCount: 4242, divide: 16 },
  },
  ioapic: {
    id: 0,
    base: '0xfec00000',
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
    initialized: true,
  })),
  pit: [{ channel: 0, mode: 2, count: 11932, gate: true }],
  pending: {
    interrupt: { vector: 0x20, soft: false },
    interruptShadow: false,
    nmi: { pending: false, injected: false, masked: false },
    smi: { pending: false, inSmm: false },
    mpState: 'running',
  },
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
    { start: '0x100000', end: '0x11c000', kind: 'image', name: 'kernel.elf', detail: '.text .rodata .data' },
    { start: '0xfec00000', end: '0xfec01000', kind: 'mmio', name: 'I/O APIC' },
    { start: '0xfee00000', end: '0xfee01000', kind: 'mmio', name: 'Local APIC' },
  ],
  ports: [
    { first: 0x3f8, last: 0x3ff, device: '16550 serial port COM1' },
    { first: 0xf4, last: 0xf4, device: 'debug exit' },
  ],
};

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
