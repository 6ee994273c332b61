/** BIOS services under boot sectors: what they answer is what SeaBIOS answers in QEMU, as fast as it is meant to run. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { BootError } from '../../hypervisor-core/boot/boot-image.ts';
import { createMachine } from '../../hypervisor-core/machine/machine.ts';
import { assembleSector, SECTOR_ENTRY } from '../guests/boot-sector.ts';
import { patience } from '../patience.ts';
import { withSector } from './sector-guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-bios-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const SECTOR = 512;
const MEMORY = 64 << 20;

/** Loads the three sectors behind the first by INT 13h, enters them with the boot drive in [drive], and has these macros. */
const HEAD = `${SECTOR_ENTRY}
  movw $0x0205, %ax
  movw $0x7e00, %bx
  movw $2, %cx
  xorb %dh, %dh
  int $0x13
  jnc main
  movb $0x7f, %al
  outb %al, $0xf4
drive: .byte 0
. = 510
.word 0xaa55
# One character of AL on COM2.
send: pushw %dx
  movw $0x2f8, %dx
  outb %al, %dx
  popw %dx
  ret
# AX in hexadecimal.
digits: movw $4, %di
1: rolw $4, %ax
  pushw %ax
  andb $15, %al
  addb $'0', %al
  cmpb $'9', %al
  jbe 2f
  addb $39, %al
2: call send
  popw %ax
  decw %di
  jnz 1b
  pushw %ax
  movb $' ', %al
  call send
  popw %ax
  ret
# Carry and zero, AX to DX; keeps nothing.
tell: pushfw
  call digits
  movw %bx, %ax
  call digits
  movw %cx, %ax
  call digits
  movw %dx, %ax
  call digits
  popw %ax
  andw $0x41, %ax
  call digits
  movb $'\\n', %al
  call send
  ret
# The sum of the 256 words at 0x9000.
sum: xorw %ax, %ax
  movw $0x9000, %si
  movw $256, %cx
1: addw (%si), %ax
  addw $2, %si
  loop 1b
  call digits
  ret
.macro service number, ax, bx=0, cx=0, dx=0
  movw $\\ax, %ax
  movw $\\bx, %bx
  movw $\\cx, %cx
  movw $\\dx, %dx
  int $\\number
  call tell
.endm
.macro disk ax, bx=0, cx=0, dh=0
  movw $\\ax, %ax
  movw $\\bx, %bx
  movw $\\cx, %cx
  movb $\\dh, %dh
  movb drive, %dl
  int $0x13
.endm
.macro print text
  movw $1f, %si
  jmp 2f
1: .asciz "\\text"
2: lodsb
  testb %al, %al
  jz 3f
  movb $0x0e, %ah
  movw $7, %bx
  int $0x10
  jmp 2b
3:
.endm
`;
const END = `
  xorw %ax, %ax
  outb %al, $0xf4
`;

const DISK = `
main:
  movzbw drive, %ax
  call digits
  # Read, verify, and what cannot be read.
  disk 0x0201, 0x9000, 0x0003
  jc 9f
  call sum
  disk 0x0201, 0x9000, 0x0004, 1
  call sum
  disk 0x0401, 0x9000, 0x0001
  call tell
  disk 0x0000
  pushfw
  popw %ax
  andw $1, %ax
  call digits
  # Written, and read back.
  disk 0x0301, 0x7c00, 0x0005
  call tell
  disk 0x0201, 0x9000, 0x0005
  call sum
  service 0x13, 0x0201, 0x9000, 1, 0x0081
  # Drive type and parameters. The number of drives and the cylinders of a hard disk are what the emulated one has.
  disk 0x0800
  pushfw
  popw %ax
  andw $1, %ax
  call digits
  movw %cx, %ax
  andw $0x3f, %ax
  call digits
  movzbw %dh, %ax
  call digits
9:
`;

const EXTENSIONS = `
  disk 0x4100, 0x55aa
  andw $0, %ax
  andw $1, %cx
  xorw %dx, %dx
  call tell
  movw $packet, %si
  disk 0x4200
  pushfw
  popw %ax
  andw $1, %ax
  call digits
  call sum
  movw $beyond, %si
  disk 0x4200
  pushfw
  popw %ax
  andw $1, %ax
  call digits
  movw $result, %si
  disk 0x4800
  movw result + 16, %ax
  call digits
  movw result + 24, %ax
  call digits
  jmp 1f
packet: .word 16, 1, 0x9000, 0
  .quad 7
beyond: .word 16, 1, 0x9000, 0
  .quad 0x100000000
result: .word 26
  .fill 30, 1, 0
1:
`;

const SCREEN = `
main:
  service 0x10, 0x0003
  print "Hello\\r\\nworld"
  service 0x10, 0x0300
  service 0x10, 0x0200, 0, 0, 0x0001
  service 0x10, 0x0800
  # A red X three times, at the end of the last line; then on, so that all moves up.
  service 0x10, 0x0200, 0, 0, 0x184d
  service 0x10, 0x0958, 4, 3
  service 0x10, 0x0300
  print "abcd"
  service 0x10, 0x0300
  service 0x10, 0x0200, 0, 0, 0x174e
  service 0x10, 0x0800
  service 0x10, 0x0200, 0, 0, 0x0000
  service 0x10, 0x0800
  # A window moved down by one line.
  service 0x10, 0x0701, 0x1e00, 0x0000, 0x0404
  service 0x10, 0x0200, 0, 0, 0x0101
  service 0x10, 0x0800
  service 0x10, 0x0200, 0, 0, 0x0003
  service 0x10, 0x0800
  movw $1f, %bp
  service 0x10, 0x1301, 0x001f, 5, 0x0a0a
  service 0x10, 0x0300
  service 0x10, 0x0200, 0, 0, 0x0a0c
  service 0x10, 0x0800
  service 0x10, 0x0f00
  jmp 2f
1: .ascii "fives"
2:
`;

const SYSTEM = `
main:
  service 0x16, 0x0100
  # A key that the program puts there is there to be seen, and to be read once.
  service 0x16, 0x0500, 0, 0x1e61
  service 0x16, 0x0100
  service 0x16, 0x0000
  service 0x16, 0x0100
  service 0x15, 0x9900
  service 0x15, 0x2402
  # The timer ticks, and waiting takes time.
  service 0x1a, 0x0100, 0, 0, 0
1: sti
  hlt
  xorb %ah, %ah
  int $0x1a
  cmpw $2, %dx
  jb 1b
  service 0x15, 0x8600, 0, 1, 0x86a0
  xorb %ah, %ah
  int $0x1a
  cmpw $3, %dx
  jb 9f
  # The memory map: its first entry, and that it ends.
  xorl %ebx, %ebx
  movw $0x9000, %di
2: movl $0xe820, %eax
  movl $20, %ecx
  movl $0x534d4150, %edx
  int $0x15
  jc 9f
  cmpl $0x534d4150, %eax
  jne 9f
  cmpl $20, %ecx
  jne 9f
  addw $20, %di
  testl %ebx, %ebx
  jnz 2b
  movw 0x9000, %ax
  call digits
  movw 0x9010, %ax
  call digits
  # All memory that is usable, in MiB, and half of one more or less.
  xorl %edx, %edx
  movw $0x9000, %si
3: cmpw $1, 16(%si)
  jne 4f
  addl 8(%si), %edx
4: addw $20, %si
  cmpw %di, %si
  jb 3b
  addl $0x180000, %edx
  shrl $20, %edx
  movw %dx, %ax
  call digits
  movw $0xe801, %ax
  int $0x15
  call digits
  movw %cx, %ax
  call digits
9:
`;

/** Sectors of which each is full of its number. */
function image(name: string, code: string, sectors: number): string {
  const program = readFileSync(assembleSector(at(name), HEAD + code + END).image);
  assert.ok(program.length <= 6 * SECTOR);
  const disk = Buffer.from(Array.from({ length: sectors * SECTOR }, (_, byte) => (byte >> 9) & 0xff));
  program.copy(disk);
  writeFileSync(at(name), disk);
  return at(name);
}

function onQemu(path: string, floppy: boolean): string {
  // Not a pipe: QEMU drops what a reader that is late does not take.
  const told = at('told');
  const run = spawnSync(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-m', String(MEMORY >> 20), '-nodefaults', '-vga', 'std', '-display', 'none', '-no-reboot'],
      ...[
        '-serial',
        'null',
        '-serial',
        `file:${told}`,
        '-device',
        'isa-debug-exit,iobase=0xf4',
        '-boot',
        floppy ? 'a' : 'c',
      ],
      ...['-drive', `file=${path},format=raw,snapshot=on,if=${floppy ? 'floppy' : 'ide'}`],
    ],
    { encoding: 'latin1', timeout: patience(60_000), killSignal: 'SIGKILL' },
  );
  assert.equal(run.status, 1, run.stderr);
  return readFileSync(told, 'latin1');
}

const onKvm = (path: string, typed?: string) =>
  withSector(path, MEMORY, async (machine, end) => {
    if (typed !== undefined) machine.console.input(Buffer.from(typed));
    await end;
    const [screen, told] = machine.serialPorts.map((port) => Buffer.from(port.history()).toString('latin1'));
    return { screen: screen ?? '', told: told ?? '' };
  });

const skip = !existsSync('/dev/kvm') && 'no /dev/kvm';
const FLOPPY = 2880;

describe('BIOS services answer as SeaBIOS does', { skip, timeout: patience(60_000) }, () => {
  for (const [name, code, sectors] of [
    ['a hard disk', DISK + EXTENSIONS, 2016],
    ['a diskette', DISK, FLOPPY],
    ['the screen', SCREEN, 2016],
    ['keyboard, waiting and memory', SYSTEM, 2016],
  ] as const) {
    test(name, async () => {
      const path = image('boot', code, sectors);
      const theirs = onQemu(path, sectors === FLOPPY);
      assert.ok(theirs.length > 40, theirs);
      assert.equal((await onKvm(path)).told, theirs);
    });
  }
});

describe('a boot sector', { skip, timeout: patience(60_000) }, () => {
  test('is typed to, and prints to the terminal', async () => {
    const echo = `
main: print "Your name? "
1: xorw %ax, %ax
  int $0x16
  cmpb $13, %al
  je 2f
  movb $0x0e, %ah
  int $0x10
  jmp 1b
2: print "!"
`;
    const { screen } = await onKvm(image('boot', echo, 16), 'Ada K.\r');
    assert.equal(screen, 'Your name? Ada K.!');
  });

  test('must fit into memory with its disk', async () => {
    const boot = { name: 'big.img', file: readFileSync(image('boot', 'main:', 4096)), commandLine: '' };
    await assert.rejects(
      createMachine({ boot, memory: 2 << 20, cpus: 1 }),
      (error) => error instanceof BootError && /do not fit into guest memory/.test(error.message),
    );
  });
});
