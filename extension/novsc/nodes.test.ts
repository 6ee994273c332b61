import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  interrupts,
  linuxIrqs,
  linuxTimers,
  memoryMap,
  pageTable,
  pageTables,
  registers,
  taskFrames,
  tasks,
  walk,
  xenDomain,
} from '../../test/e2e/fake/snapshot.ts';
import { interruptsNodes } from './interrupts-nodes.ts';
import { linuxNodes } from './linux-interrupts-nodes.ts';
import { memoryMapNodes } from './memory-map-nodes.ts';
import { pageTablesNodes, walkNode } from './page-tables-nodes.ts';
import { type NumberFormat, registerNumber } from './register-numbers.ts';
import { registersNodes } from './registers-nodes.ts';
import { changedBelow, isChanged, type StateNode, valuesOf } from './state-node.ts';
import { tasksNodes } from './tasks-nodes.ts';
import { VIRQS } from './xen-interrupts-nodes.ts';

/** Indented labels and descriptions of all rows that are there without being read. */
function outline(nodes: readonly StateNode[], indent = ''): string[] {
  return nodes.flatMap((node) => [
    `${indent}${node.label}: ${node.description ?? ''}`,
    ...(Array.isArray(node.children) ? outline(node.children as readonly StateNode[], `${indent}  `) : []),
  ]);
}

function find(nodes: readonly StateNode[], id: string): StateNode {
  for (const node of nodes) {
    if (node.id === id) return node;
    if (Array.isArray(node.children) && id.startsWith(node.id)) return find(node.children as readonly StateNode[], id);
  }
  throw new Error(`no row ${id}`);
}

describe('registers', () => {
  test('are shown in hexadecimal, decimal or binary, vectors and x87 as they are', () => {
    const flags = { name: 'eflags', bits: 32, value: '0x246', writable: true } as const;
    const vector = { name: 'xmm0', bits: 128, value: '0x10', writable: false } as const;
    const shown = (format: NumberFormat) =>
      outline(registersNodes([{ name: 'G', registers: [flags, vector] }], { format, pinned: [], stops: [] }))
        .filter((row) => /^ {2}\w/.test(row))
        .map((row) => row.trim());
    assert.deepEqual(shown('hexadecimal'), ['eflags: 0x246', 'xmm0: 0x10']);
    assert.deepEqual(shown('decimal'), ['eflags: 582', 'xmm0: 0x10']);
    assert.deepEqual(shown('binary'), ['eflags: 0b10_0100_0110', 'xmm0: 0x10']);
    assert.equal(registerNumber('0x0', 64, 'binary'), '0b0');
    assert.equal(registerNumber('0xff', 8, 'binary'), '0b1111_1111');
  });

  test('that a frame does not tell are named, without a value', () => {
    const rows = outline(registersNodes([{ name: 'General', registers: [], lost: ['rcx'] }]));
    assert.deepEqual(rows, ['General: ', '  rcx: not saved by the functions that were called from here']);
  });

  test('that are pinned come first, in that order, and stay in their groups; unknown names are left out', () => {
    const nodes = registersNodes(registers(1), { format: 'hexadecimal', pinned: ['rip', 'none', 'rax'], stops: [] });
    assert.equal(nodes[0]?.label, 'Pinned');
    assert.deepEqual(valuesOf([...nodes]).has('registers/General/rax'), true);
    assert.deepEqual(
      (nodes[0].children as readonly StateNode[]).map(({ label }) => label),
      ['rip', 'rax'],
    );
    const pinned = ['Pinned/rax', 'General/rax', 'General/rbx'].map((id) => find(nodes, `registers/${id}`).pinned);
    assert.deepEqual(pinned, [true, true, false]);
  });

  test('that control the processor can be stopped on, and say that they are', () => {
    const named = (name: string) => ({ name, bits: 64, value: '0x1', writable: true }) as const;
    const group = { name: 'Control', registers: ['cr2', 'cr3', 'cr4'].map(named) };
    const nodes = registersNodes([group], { format: 'hexadecimal', pinned: [], stops: ['cr3', 'exit io'] });
    const stopOn = ['cr2', 'cr3', 'cr4'].map((name) => find(nodes, `registers/Control/${name}`).stopOn);
    assert.deepEqual(stopOn, [undefined, { line: 'cr3', asked: true }, { line: 'cr4', asked: false }]);
    assert.deepEqual(outline(nodes).slice(2), ['  cr3: 0x1  stops before it is written', '  cr4: 0x1']);
  });

  test('of more than 64 bits show their lanes, those of the x87 their number', () => {
    const vector = { name: 'xmm0', bits: 128, value: '0x40000000000000003f800000', writable: false } as const;
    const float = { name: 'st0', bits: 80, value: '0x3fff8000000000000000', writable: false } as const;
    const rows = outline(registersNodes([{ name: 'Vector', registers: [vector, float] }]));
    assert.ok(rows.includes('    v4_float: 1  0  2  0'), rows.join('\n'));
    assert.ok(rows.includes('  st0: 0x3fff8000000000000000  1'), rows.join('\n'));
  });

  test('show value, symbol and the bits that are set', () => {
    const rows = outline(registersNodes(registers(1)));
    assert.ok(rows.includes('  rip: 0xffffffff80001004  kernel_main+0x4'));
    assert.ok(rows.includes('  rflags: 0x246  ZF IF'));
    assert.ok(rows.includes('    CF: 0  carry'));
    const { tooltip = '' } = find(registersNodes(registers(1)), 'registers/General/rflags');
    const [value, decimal, ...bits] = tooltip.split('\n');
    assert.deepEqual([value, decimal], ['rflags = 0x246', '582']);
    assert.ok(bits.includes('CF = 0, bit 0: carry') && bits.length > 2, tooltip);
  });

  test('mark what another stop changed, and count it in the group', () => {
    const before = valuesOf(registersNodes(registers(1)));
    const after = registersNodes(registers(2));
    assert.equal(isChanged(find(after, 'registers/General/rax'), before), true);
    assert.equal(isChanged(find(after, 'registers/General/rbx'), before), false);
    assert.equal(changedBelow(find(after, 'registers/General'), before), 2);
    assert.equal(changedBelow(find(after, 'registers/Control'), before), 0);
    assert.equal(changedBelow(find(after, 'registers/General'), new Map()), 0, 'the first stop marks nothing');
  });
});

describe('page tables', () => {
  test('read a table when its row is expanded, by the path from the root', async () => {
    const asked: (readonly number[])[] = [];
    const read = async (path: readonly number[]) => {
      asked.push(path);
      return pageTable(path);
    };
    let rows: readonly StateNode[] = pageTablesNodes(pageTables, read);
    assert.deepEqual(asked, []);
    for (const id of ['pages/511', 'pages/511.1', 'pages/511.1.0']) {
      const row = find(rows, id);
      if (typeof row.children !== 'function') break;
      rows = await row.children();
    }
    assert.deepEqual(asked, [[511], [511, 1]]);
    assert.equal(rows[0]?.label, 'PDE[0]');
    assert.match(rows[0]?.description ?? '', /^0x0 {2}→ 0x0 {2}2 MiB {2}W A D PS G {2}kernel_start$/);
  });

  test('those of user code say where those of the kernel are', () => {
    const [root] = pageTablesNodes({ ...pageTables, kernelCr3: '0x2000' }, async () => []);
    assert.equal(root?.description, `${pageTables.cr3}  4-level paging, for user code; the kernel’s is 0x2000`);
  });

  test('a walk shows each step and what came of it', () => {
    const row = walkNode('$rip', walk(0xffffffff80001234n));
    assert.deepEqual(outline([row]), [
      'Walk of $rip = 0xffffffff80001234: → 0x1234',
      '  PML4E[511]: 0x107003 at 0x103ff8  P W A',
      '  PDPTE[510]: 0x104003 at 0x107ff0  P W A',
      '  PDE[0]: 0x104003 at 0x108000  P W A D PS',
      '  mapped: guest-physical 0x1234, 2 MiB page, W X',
      '  supervisor write: allowed',
      '  user read: faults: A supervisor page (U/S = 0) is not for CPL 3.',
    ]);
  });

  test('a walk that faults says why', () => {
    const fault = { ...walk(0n), result: { kind: 'fault', reason: 'PDE not present' } } as const;
    const rows = outline([walkNode('0x0', fault)]);
    assert.equal(rows[0], 'Walk of 0x0: PDE not present');
    assert.equal(rows.at(-1), '  fault: PDE not present');
  });
});

test('a Linux guest’s interrupts and timers are read when they are unfolded', async () => {
  const rows = linuxNodes({
    irqs: async () => ({ irqs: linuxIrqs }),
    timers: async () => ({ timers: linuxTimers, problem: 'The list is damaged.' }),
  });
  const below = rows.map(({ children }) => (typeof children === 'function' ? children() : []));
  assert.deepEqual(
    (await Promise.all(below)).flatMap((nodes) => outline(nodes)),
    [
      '4 ttyS0: serial8250_interrupt  IO-APIC 4-edge  1,204 3',
      'tick_sched_timer: CPU 1  monotonic 12.345678 s',
      'The list is damaged.: ',
    ],
  );
});

test('a Xen’s first domain has event channels and trap handlers, read when it is unfolded', async () => {
  let reads = 0;
  const xen = async () => {
    reads++;
    return { ...xenDomain, problem: 'The list is damaged.' };
  };
  const nothing = async () => assert.fail();
  const guest = { linux: { irqs: nothing, timers: nothing }, xen };
  const rows = interruptsNodes({ ...interrupts, xen: true }, undefined, guest);
  const children = find(rows, 'interrupts/xen-domain').children;
  assert.ok(typeof children === 'function');
  assert.equal(reads, 0);
  const below = await children();
  assert.deepEqual(outline(below), [
    'Event channels: FIFO, 3 in use, 1 pending',
    '  port 1: VIRQ_TIMER  pending',
    '  port 2: PIRQ 9  masked',
    '  port 3: IPI',
    '  The list is damaged.: ',
    'vCPU 0: on processor 1, events pending, events masked, 1 trap handlers',
    '  0x0e #PF page fault: 0xffffffff81c01b00  DPL 0  masks events',
    'vCPU 1: on processor 0, no trap handlers yet',
  ]);
  const trap = find(below, 'interrupts/xen-domain/vcpu-0/14');
  assert.deepEqual([trap.address, trap.code], ['0xffffffff81c01b00', true]);
  assert.deepEqual(
    interruptsNodes(interrupts, undefined, guest).filter(({ id }) => id === 'interrupts/xen-domain'),
    [],
  );
});

const XEN_HEADER = '/usr/include/xen/xen.h';
test('VIRQs are those of Xen’s header', { skip: !existsSync(XEN_HEADER) && `${XEN_HEADER} is not here` }, () => {
  const defined = readFileSync(XEN_HEADER, 'utf8').matchAll(/^#define VIRQ_(\w+) +(\d+)\b/gm);
  const names = [...defined].map(([, name, number]) => [number, name]);
  assert.deepEqual(VIRQS, Object.fromEntries(names));
});

test('interrupts name vectors by their handlers', () => {
  const rows = outline(interruptsNodes(interrupts));
  for (const row of [
    'Requested: 1 requested, 1 held',
    '  0x20 timer_entry, local APIC: held: RFLAGS.IF: 0: interrupts are off',
    '    priority: above the processor priority',
    'Pending: interrupt',
    '  interrupt: 0x20 timer_entry',
    '  IRR: 0x20 timer_entry',
    '  ISR: none',
    '  timer: periodic, count 4242 of 100000, divided by 16, 67.9 µs left',
    '  LVT Timer: 0x20 timer_entry, fixed',
    '  LVT LINT0: 0x00, ExtINT, masked',
    'I/O APIC: id 0, 1 of 24 pins unmasked',
    '  pin 4: 0x24 serial_entry, fixed, edge, physical 0',
    'MSI: 1,236 messages by 2 vectors',
    '  virtio-blk 0: 0x41, fixed, edge, physical 0, 1,234 sent',
    '    last message: at 2.500000 s, taken',
    '  virtio-blk 1: 0x31, fixed, edge, logical 3, to one of them, 2 sent, masked, the last one lost',
    '    last message: at 1.500000 s, taken by no local APIC: 0x30, fixed, edge, physical 5',
    'Log: 1,240 sent, the last at 3.500000 s',
    '  3.500000 s  NMI: injected by hand, to vCPU 0',
    '  3.250000 s  0x24 serial_entry: COM1 line 4, by the I/O APIC to vCPU 0, by the PIC as 0x2c',
    '  3.000000 s  no vector: COM1 line 4, masked',
    '  2.500000 s  0x41: virtio-blk MSI-X 0, to vCPU 0',
    'Rates: 310 a second sent, 1,200 injected by KVM',
    '  vCPU 0: 4,800 injected by KVM, 1,200 a second, NMIs: 1',
    '  0x24 serial_entry: 4 sent, 1.0 a second',
    '  0x41: 1,234 sent, 309 a second',
    'PIC master: vectors 0x20 to 0x27',
    'IDT: 3 of 3 entries present',
    '  0x0e #PF: page_fault_entry  interrupt gate  DPL 0  IST 1',
  ]) {
    assert.ok(rows.includes(row), `${row}\nis not in\n${rows.join('\n')}`);
  }
});

test('the memory map puts images inside the RAM that holds them', () => {
  assert.deepEqual(outline(memoryMapNodes(memoryMap)), [
    'low RAM: 0x00000000–0x0009ffff  640 KiB',
    'RAM: 0x00100000–0x0fffffff  255 MiB',
    '  usable: 0x00100000–0x0fffffff  255 MiB  e820',
    '    kernel.elf: 0x00100000–0x0011bfff  112 KiB  .text .rodata .data',
    'Framebuffer 256 × 192, 32 bits a pixel: 0xc0000000–0xc002ffff  192 KiB  XRGB8888, 1024 bytes a row',
    'I/O APIC: 0xfec00000–0xfec00fff  4 KiB',
    'Local APIC: 0xfee00000–0xfee00fff  4 KiB',
    'Page tables: 1 range',
    '  page tables: 0x00103000–0x00108fff  24 KiB  6 tables',
    'I/O ports: 2 ranges',
    '  debug exit: 0xf4',
    '  16550 serial port COM1: 0x3f8–0x3ff',
  ]);
});

test('tasks with their call stacks, read when they are asked for', async () => {
  const rows = tasksNodes({ ...tasks, problem: 'The list runs into itself' }, async () => taskFrames);
  assert.deepEqual(outline(rows), [
    'The list runs into itself: ',
    'swapper/0: 0  R  CPU 0, on vCPU 0',
    'init: 1  S  CPU 0',
    'init-worker: 7 of 1  D  CPU 0',
  ]);
  assert.match(rows[1]?.tooltip ?? '', /flags 0x200002: idle, kernel thread/);
  const children = rows[2]?.children;
  assert.ok(typeof children === 'function');
  assert.deepEqual(outline(await children()), ['__schedule: core.c:5300', 'ret_from_fork+0x22: 0xffffffff80000600']);
});

test('rows that stand for the same thing have the same id at every stop, and no two rows share one', () => {
  const ids = (nodes: readonly StateNode[]): string[] =>
    nodes.flatMap((node) => [node.id, ...(Array.isArray(node.children) ? ids(node.children as StateNode[]) : [])]);
  const all = (stop: number) => [
    ...ids(registersNodes(registers(stop))),
    ...ids(interruptsNodes(interrupts)),
    ...ids(memoryMapNodes(memoryMap)),
  ];
  assert.deepEqual(all(1), all(2));
  assert.equal(new Set(all(1)).size, all(1).length);
});
