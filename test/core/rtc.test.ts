/** The real-time clock interrupts a boot sector as it does in QEMU. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assembleSector } from '../guests/boot-sector.ts';
import { patience } from '../patience.ts';
import { withSector } from './sector-guest.ts';

const MEMORY = 16 << 20;
const folder = mkdtempSync(join(tmpdir(), 'ringside-rtc-'));
after(() => rmSync(folder, { recursive: true }));

/**
 * Takes five periodic interrupts, then one with both an alarm at any time and the end of an update, and leaves by the
 * debug-exit port with what register C said: of the periodic ones what all said, and of the last one.
 */
const CODE = `
.code16
.globl _start
.macro port number, value
  movb $\\value, %al
  outb %al, $\\number
.endm
.macro cmos register, value
  port 0x70, \\register
  port 0x71, \\value
.endm
_start: cli
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x7c00, %sp
  movw $handler, 0x70 * 4
  movw %ax, 0x70 * 4 + 2
  port 0x20, 0x11
  port 0xa0, 0x11
  port 0x21, 0x08
  port 0xa1, 0x70
  port 0x21, 0x04
  port 0xa1, 0x02
  port 0x21, 0x01
  port 0xa1, 0x01
  port 0x21, 0xfb
  port 0xa1, 0xfe
  cmos 0x0a, 0x26
  cmos 0x0b, 0x42
1: sti
  hlt
  cli
  cmpb $5, count
  jb 1b
  cmos 0x01, 0xff
  cmos 0x03, 0xff
  cmos 0x05, 0xff
  cmos 0x0a, 0x20
  cmos 0x0b, 0x32
  movb said, %bl
  movb $0xff, said
  movb $0, count
2: sti
  hlt
  cli
  cmpb $1, count
  jb 2b
  movb said, %al
  xorb %bl, %al
  outb %al, $0xf4
handler: pushw %ax
  port 0x70, 0x0c
  inb $0x71, %al
  # One that came while the last was being handled has been told with that one.
  testb $0x80, %al
  jz 3f
  andb %al, said
  incb count
3: port 0xa0, 0x20
  port 0x20, 0x20
  popw %ax
  iretw
count: .byte 0
said: .byte 0xff
. = 510
.word 0xaa55
`;

/** Periodic with request, exclusive or with update-ended and alarm with request; as the debug-exit port gives it. */
const STATUS = (((0xc0 ^ 0xb0) << 1) | 1) & 0xff;

function onQemu(image: string): number | null {
  const machine = ['-accel', 'tcg', '-m', String(MEMORY >> 20), '-nodefaults', '-display', 'none', '-no-reboot'];
  const run = spawnSync(
    'qemu-system-x86_64',
    [...machine, '-device', 'isa-debug-exit,iobase=0xf4', '-drive', `file=${image},format=raw,snapshot=on`],
    { timeout: patience(60_000), killSignal: 'SIGKILL' },
  );
  return run.status;
}

const skip = !existsSync('/dev/kvm') && 'no /dev/kvm';

test('periodic, alarm and update-ended interrupts are those of QEMU', { skip, timeout: patience(60_000) }, async () => {
  const { image } = assembleSector(join(folder, 'rtc'), CODE);
  const { exitStatus } = await withSector(image, MEMORY, (_, end) => end);
  assert.equal(exitStatus & 0xff, STATUS);
  assert.equal(onQemu(image), STATUS);
});
