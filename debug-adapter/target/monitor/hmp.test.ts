/** What QEMU's monitor prints, read back; against a QEMU that is asked the same by other means where there is one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseIoapic, parseLapic, parsePics } from './hmp-interrupts.ts';
import { parseMemoryMap } from './hmp-memory-map.ts';
import { parseRegisters } from './hmp-registers.ts';

const LAPIC = `dumping local APIC state for CPU 2

LVT0	 0x00000700 active-hi edge                              ExtINT (vec 0)
LVTT	 0x00020040 active-hi edge                 periodic     Fixed  (vec 64)
Timer	 DCR=0x3 (divide by 16) initial_count = 6250000 current_count = 3558945
SPIV	 0x000001ff APIC enabled, focus=off, spurious vec 255
ICR	 0x000c4608 physical edge assert all
ICR2	 0x01000000
ESR	 0x00000000
ISR	 64
IRR	 49 52(level)

APR 0x00 TPR 0x20 DFR 0x0f LDR 0x04 PPR 0x40
`;

test('info lapic', () => {
  const lapic = parseLapic(LAPIC);
  assert.ok(lapic);
  assert.deepEqual([lapic.id, lapic.tpr, lapic.ppr, lapic.svr], [2, 0x20, 0x40, 0x1ff]);
  assert.deepEqual([lapic.isr, lapic.irr, lapic.tmr], [[64], [49, 52], [52]]);
  assert.deepEqual(lapic.timer, {
    ...{ mode: 'periodic', initialCount: 6250000, currentCount: 3558945, divide: 16 },
    left: 16 * 3558945,
  });
  assert.deepEqual([lapic.ldr, lapic.dfr >>> 0], [4, 0xffffffff]);
  assert.equal(BigInt(lapic.icr), 0x0100_0000_000c_4608n);
});

test('info pic', () => {
  const text = `ioapic0: ver=0x20 id=0x03 sel=0x18 (redir[4])
  pin 0  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 4  0x0100000000008034 dest=1 vec=52  active-hi level        fixed  physical
  IRR      4
  Remote IRR (none)
pic1: irr=00 imr=ff isr=00 hprio=0 irq_base=28 rr_sel=0 elcr=0c fnm=0
pic0: irr=01 imr=fe isr=02 hprio=0 irq_base=20 rr_sel=0 elcr=00 fnm=0
`;
  const ioapic = parseIoapic(text);
  assert.deepEqual([ioapic?.id, ioapic?.version, ioapic?.select], [3, 0x20, 0x18]);
  assert.deepEqual(
    ioapic?.pins.map(({ pin, vector, masked, pending, trigger }) => [pin, vector, masked, pending, trigger]),
    [
      [0, 0, true, false, 'edge'],
      [4, 0x34, false, true, 'level'],
    ],
  );
  const [master, slave] = parsePics(text);
  assert.deepEqual([master?.name, master?.irr, master?.isr, master?.vectorBase], ['master', 1, 2, 0x20]);
  assert.deepEqual([slave?.imr, slave?.elcr], [0xff, 0x0c]);
});

test('info mtree -f', () => {
  const map = parseMemoryMap(`FlatView #0
 AS "memory", root: system
 Root memory region: system
  0000000000000000-00000000000bffff (prio 0, ram): pc.ram
  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom @0000000000000010 KVM
  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram
  00000000febf0000-00000000febf017f (prio 0, i/o): edid
  00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
FlatView #1
 AS "I/O", root: io
  0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
  0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010
`);
  assert.deepEqual(map?.regions, [
    { start: '0x0', end: '0xc0000', kind: 'ram', name: 'pc.ram' },
    { start: '0xc0000', end: '0xe0000', kind: 'rom', name: 'pc.rom' },
    { start: '0xfd000000', end: '0xfe000000', kind: 'framebuffer', name: 'vga.vram' },
    { start: '0xfebf0000', end: '0xfebf0180', kind: 'mmio', name: 'edid' },
    { start: '0xfec00000', end: '0xfec01000', kind: 'mmio', name: 'ioapic' },
  ]);
  assert.deepEqual(map?.ports, [{ first: 0, last: 7, device: 'dma-chan' }]);
});

test('info registers', () => {
  const values = parseRegisters(`CS =0008 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]
TR =0028 ffffffff801203a8 00000067 00008900 DPL=0 TSS64-avl
GDT=     ffffffff8010c060 000000a7
IDT=     ffffffff8010eb80 00000fff
DR6=00000000ffff0ff0 DR7=0000000000000400`);
  assert.equal(values.get('idtr_base'), 0xffffffff8010eb80n);
  assert.equal(values.get('gdtr_limit'), 0xa7n);
  assert.equal(values.get('cs_attr'), 0xa09bn);
  assert.equal(values.get('tr_base'), 0xffffffff801203a8n);
  assert.equal(values.get('dr7'), 0x400n);
});

test('any other text gives nothing, and throws nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      parseRegisters(text);
      parsePics(text);
      parseIoapic(`ioapic0: ver=0x1 id=0x0\n${text}`);
      parseLapic(`SPIV 0x00000000\nLVTT 0x00000000\n${text}`);
      parseMemoryMap(`FlatView #0\n${text}`);
    }),
    { seed: 6 },
  );
});
