import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { decodeIdt, idtFormat } from './idt.ts';
import { decodeInterruptState } from './interrupt-state.ts';
import { decodeLapic } from './lapic.ts';

/** Fills the kernel's own structures, as its headers lay them out, and prints their bytes. */
const program = `
#include <linux/kvm.h>
#include <stdio.h>
static struct kvm_irqchip master, slave, ioapic;
static struct kvm_pit_state2 pit;
static struct kvm_vcpu_events events;
static void print(const void *from, unsigned size)
{
    for (unsigned at = 0; at < size; at++) printf("%02x", ((const unsigned char *)from)[at]);
    putchar('\\n');
}
int main(void)
{
    struct kvm_pic_state *pic = &master.chip.pic;
    pic->last_irr = 0xff; pic->irr = 1; pic->imr = 0xfb; pic->isr = 4; pic->priority_add = 9; pic->irq_base = 0x20;
    pic->auto_eoi = 1; pic->elcr = 0x20; pic->read_reg_select = 1; pic->special_fully_nested_mode = 1; pic->elcr_mask = 0xf8; pic->init4 = 1;
    slave.chip.pic.init_state = 2; slave.chip.pic.irq_base = 0x28; slave.chip.pic.imr = 0xff;
    ioapic.chip.ioapic.base_address = 0xfec00000; ioapic.chip.ioapic.id = 3; ioapic.chip.ioapic.ioregsel = 0x22; ioapic.chip.ioapic.irr = 1 << 9 | 1 << 4;
    for (int pin = 0; pin < 24; pin++) ioapic.chip.ioapic.redirtbl[pin].fields.mask = 1;
    ioapic.chip.ioapic.redirtbl[4].bits = 0x24;
    ioapic.chip.ioapic.redirtbl[9].fields.vector = 0x31;
    ioapic.chip.ioapic.redirtbl[9].fields.delivery_mode = 1;
    ioapic.chip.ioapic.redirtbl[9].fields.dest_mode = 1;
    ioapic.chip.ioapic.redirtbl[9].fields.polarity = 1;
    ioapic.chip.ioapic.redirtbl[9].fields.remote_irr = 1;
    ioapic.chip.ioapic.redirtbl[9].fields.trig_mode = 1;
    ioapic.chip.ioapic.redirtbl[9].fields.mask = 0;
    ioapic.chip.ioapic.redirtbl[9].fields.dest_id = 0xa5;
    pit.channels[0].count = 11932; pit.channels[0].mode = 2; pit.channels[0].gate = 1;
    pit.channels[2].mode = 3; pit.channels[2].count = 0x10000;
    events.exception.injected = 1; events.exception.nr = 14; events.exception.has_error_code = 1;
    events.exception.error_code = 0x10002;
    events.interrupt.injected = 1; events.interrupt.nr = 0x30; events.interrupt.soft = 1; events.interrupt.shadow = 2;
    events.nmi.pending = 1; events.nmi.masked = 1; events.smi.pending = 1;
    print(&master, sizeof master); print(&slave, sizeof slave); print(&ioapic, sizeof ioapic);
    print(&pit, sizeof pit); print(&events, sizeof events);
}
`;

const folder = mkdtempSync(join(tmpdir(), 'ringside-interrupts-'));
after(() => rmSync(folder, { recursive: true }));

function kernelStructures(): Uint8Array[] {
  writeFileSync(join(folder, 'print.c'), program);
  execFileSync('gcc', [join(folder, 'print.c'), '-o', join(folder, 'print')]);
  const lines = execFileSync(join(folder, 'print'), { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => Buffer.from(line, 'hex'));
}

function lapicPage(registers: Record<number, number>): Uint8Array {
  const page = Buffer.alloc(1024);
  for (const [at, value] of Object.entries(registers)) page.writeUInt32LE(value >>> 0, Number(at));
  return page;
}

describe('structures of the kernel', () => {
  const [picMaster, picSlave, ioapic, pit, events] = kernelStructures() as [Buffer, Buffer, Buffer, Buffer, Buffer];
  const lapic = { page: lapicPage({}), base: 0xfee0_0900n };
  const state = decodeInterruptState(1, { lapic, picMaster, picSlave, ioapic, pit, events, mpState: 3 });

  test('8259A', () => {
    assert.deepEqual(state.pic, [
      {
        ...{
          name: 'master',
          irr: 1,
          isr: 4,
          imr: 0xfb,
          vectorBase: 0x20,
          autoEoi: true,
          elcr: 0x20,
          initialized: true,
        },
        ...{ highestPriority: 9, readsIsr: true, fullyNested: true },
      },
      {
        ...{ name: 'slave', irr: 0, isr: 0, imr: 0xff, vectorBase: 0x28, autoEoi: false, elcr: 0, initialized: false },
        ...{ highestPriority: 0, readsIsr: false, fullyNested: false },
      },
    ]);
  });

  test('I/O APIC', () => {
    assert.equal(state.ioapic?.id, 3);
    assert.equal(state.ioapic?.select, 0x22);
    assert.equal(state.ioapic?.base, '0xfec00000');
    assert.equal(state.ioapic?.pins.length, 24);
    assert.deepEqual(state.ioapic?.pins[9], {
      pin: 9,
      raw: '0xa50000000000e931',
      vector: 0x31,
      delivery: 'lowest priority',
      destinationMode: 'logical',
      destination: 0xa5,
      trigger: 'level',
      polarity: 'low',
      masked: false,
      remoteIrr: true,
      pending: true,
      asserted: true,
    });
    const edge = state.ioapic?.pins[4];
    assert.deepEqual([edge?.trigger, edge?.pending, edge?.asserted, edge?.vector], ['edge', true, false, 0x24]);
    assert.equal(state.ioapic?.pins[0]?.masked, true);
  });

  test('8254', () => {
    assert.deepEqual(state.pit, [
      { channel: 0, mode: 2, count: 11932, gate: true },
      { channel: 1, mode: 0, count: 0x1_0000, gate: false },
      { channel: 2, mode: 3, count: 0x1_0000, gate: false },
    ]);
  });

  test('pending events', () => {
    assert.deepEqual(state.pending, {
      exception: { vector: 14, errorCode: 0x10002, injected: true },
      interrupt: { vector: 0x30, soft: true },
      interruptShadow: true,
      nmi: { pending: true, injected: false, masked: true },
      smi: { pending: true, inSmm: false },
      mpState: 'halted',
    });
  });
});

describe('local APIC', () => {
  test('registers, vectors and timer', () => {
    const page = lapicPage({
      32: 0x0500_0000,
      48: 0x0006_0014,
      128: 0x20,
      160: 0x30,
      208: 0x0200_0000,
      224: 0xffff_ffff,
      240: 0x1ff,
      272: 1 << 16,
      624: 0x8000_0000,
      512: 1 << 31,
      752: 0x1_0000,
      768: 0xc08fb,
      784: 0x0100_0000,
      800: 0x2_10ef,
      848: 0x8700,
      896: 1_000_000,
      912: 999,
      992: 0xb,
    });
    const lapic = decodeLapic(page, 0xfee0_0900n);
    assert.equal(lapic.mode, 'xapic');
    assert.equal(lapic.id, 5);
    assert.equal(lapic.softwareEnabled, true);
    assert.deepEqual([lapic.version, lapic.tpr, lapic.ppr, lapic.ldr], [0x14, 0x20, 0x30, 2]);
    assert.deepEqual([lapic.isr, lapic.irr, lapic.tmr], [[48], [31, 255], []]);
    assert.equal(lapic.icr, '0x1000000000c08fb');
    assert.deepEqual(lapic.timer, {
      mode: 'periodic',
      initialCount: 1_000_000,
      currentCount: 999,
      divide: 1,
      left: 999,
    });
    const lvt = new Map(lapic.lvt.map((entry) => [entry.name, entry]));
    assert.equal(lvt.get('CMCI')?.masked, true);
    assert.deepEqual(lvt.get('Timer'), {
      name: 'Timer',
      raw: 0x2_10ef,
      vector: 0xef,
      delivery: 'fixed',
      masked: false,
      pending: true,
    });
    assert.equal(lvt.get('LINT0')?.delivery, 'ExtINT');
  });

  test('divide values and modes', () => {
    const divides = [0, 1, 2, 3, 8, 9, 10, 11].map((value) => decodeLapic(lapicPage({ 992: value }), 0n).timer.divide);
    assert.deepEqual(divides, [2, 4, 8, 16, 32, 64, 128, 1]);
    assert.equal(decodeLapic(lapicPage({}), 0n).mode, 'disabled');
    assert.equal(decodeLapic(lapicPage({}), 0xfee0_0c00n).mode, 'x2apic');
    assert.throws(() => decodeLapic(new Uint8Array(100), 0n), RangeError);
  });
});

describe('interrupt descriptor table', () => {
  test('long mode gates', () => {
    const bytes = Buffer.alloc(256 * 16);
    bytes.set(Buffer.from('3412080003ee7856f0debc9a00000000', 'hex'), 3 * 16);
    const idt = decodeIdt('long', bytes, 0xfff);
    assert.equal(idt.length, 256);
    assert.deepEqual(idt[3], {
      vector: 3,
      name: '#BP breakpoint',
      present: true,
      handler: 0x9abcdef056781234n,
      selector: 8,
      type: 'interrupt',
      dpl: 3,
      ist: 3,
    });
    assert.equal(idt[0]?.present, false);
    assert.equal(idt[32]?.name, 'interrupt 0x20');
  });

  test('protected mode gates and the real mode table', () => {
    const gate = decodeIdt('protected', Buffer.from('3412080000 8f7856'.replace(' ', ''), 'hex'), 7)[0];
    assert.deepEqual([gate?.handler, gate?.type, gate?.present], [0x56781234n, 'trap', true]);
    const vector = decodeIdt('real', Buffer.from('53ff00f0', 'hex'), 0x3ff)[0];
    assert.deepEqual([vector?.handler, vector?.selector], [0xfff53n, 0xf000]);
  });

  test('stops at the limit, at the end of the bytes, and at 256', () => {
    assert.equal(decodeIdt('long', new Uint8Array(4096), 0x1f).length, 2);
    assert.equal(decodeIdt('long', new Uint8Array(40), 0xffff).length, 2);
    assert.equal(decodeIdt('real', new Uint8Array(65536), 0xffff).length, 256);
    assert.equal(decodeIdt('long', new Uint8Array(0), 0).length, 0);
  });

  test('format follows CR0.PE and EFER.LMA', () => {
    assert.deepEqual(
      [idtFormat(0n, 0n), idtFormat(1n, 0n), idtFormat(0x8000_0001n, 0x500n)],
      ['real', 'protected', 'long'],
    );
  });
});
