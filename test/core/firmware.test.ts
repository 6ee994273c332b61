/** SeaBIOS as Debian has it, from the reset vector to a boot sector on the virtio disk, and the same under QEMU. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createMachine, type MachineOptions } from '../../hypervisor-core/machine/machine.ts';
import { restoreMachine } from '../../hypervisor-core/machine/restored-machine.ts';
import { assembleSector, SECTOR_ENTRY } from '../guests/boot-sector.ts';
import { SEABIOS } from '../guests/seabios.ts';
import { patience } from '../patience.ts';
import { Session } from './tiny-guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-firmware-'));
after(() => rmSync(folder, { recursive: true }));
const SECTOR = 512;
const MEMORY = 64 << 20;
const RESET_VECTOR = 0xffff_fff0n;
const BOOT_SECTOR = 0x7c00n;

/** Prints by INT 10h what it has and what the second sector has, and on COM2 the drive's parameters. */
const PROGRAM = `${SECTOR_ENTRY}
  movw $first, %si
  call print
  movw $packet, %si
  movb $0x42, %ah
  int $0x13
  jc failed
  call more
  movw $0x7e00, %si
  call print
  movb $8, %ah
  movb drive, %dl
  int $0x13
  jc failed
  movw $0x2f8, %bx
  xchgw %bx, %dx
  movb %cl, %al
  outb %al, %dx
  movb %ch, %al
  outb %al, %dx
  movb %bh, %al
  outb %al, %dx
  movw $done, %si
  call print
  xorw %ax, %ax
  outb %al, $0xf4
failed: movb $1, %al
  outb %al, $0xf4
print: lodsb
  testb %al, %al
  jz 1f
  movb $0x0e, %ah
  movw $7, %bx
  int $0x10
  jmp print
1: ret
more: ret
drive: .byte 0
first: .asciz "first sector\\r\\n"
done: .asciz "done\\r\\n...."
packet: .word 16, 1, 0x7e00, 0
  .quad 1
. = 510
.word 0xaa55
.asciz "second sector\\r\\n"
`;

/** Instead: waits for two keys, and prints them. */
const TYPED = `more: xorw %ax, %ax
  int $0x16
  movb $0x0e, %ah
  movw $7, %bx
  int $0x10
  xorw %ax, %ax
  int $0x16
  movb $0x0e, %ah
  int $0x10
  ret`;

/** Instead: writes to the reset vector through FS, which has all 4 GiB after a moment of protected mode. */
const WRITES_ROM = `more: cli
  lgdt table
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  movw $8, %bx
  movw %bx, %fs
  andb $0xfe, %al
  movl %eax, %cr0
  movl $0xfffffff0, %ebx
  movl $0x5a5a5a5a, %fs:(%ebx)
  movl %fs:(%ebx), %eax
  cmpl $0x5a5a5a5a, %eax
  je failed
  sti
  ret
descriptors: .quad 0, 0x00cf93000000ffff
table: .word 15
  .long descriptors`;

const MORE = 'more: ret';

/** An image of `sectors` sectors. */
function image(sectors: number, program = PROGRAM): string {
  const disk = Buffer.alloc(sectors * SECTOR);
  readFileSync(assembleSector(join(folder, 'boot'), program).image).copy(disk);
  const path = join(folder, `disk-${sectors}`);
  writeFileSync(path, disk);
  return path;
}

const options = (disk: string, more: Partial<MachineOptions> = {}): MachineOptions => ({
  boot: { protocol: 'firmware', name: 'bios-256k.bin', file: readFileSync(SEABIOS), commandLine: '' },
  ...{ memory: MEMORY, cpus: 1, disk: { path: disk, persist: false } },
  ...more,
});

interface Told {
  readonly screen: string;
  /** The drive's parameters. */
  readonly drive: readonly number[];
  readonly log: string;
}

/** What is shown until the program is done; the last characters stay in SeaBIOS. */
const untilDone = (screen: string) => screen.slice(0, screen.indexOf('done') + 4);

function toldBy({ machine }: Session): Told {
  const [screen, drive] = machine.serialPorts.map((port) => Buffer.from(port.history()));
  const log = Buffer.from(machine.firmwareLog.history()).toString('latin1');
  return { screen: untilDone(String(screen)), drive: [...(drive ?? [])], log };
}

function onQemu(disk: string): Told {
  const at = (name: string) => join(folder, name);
  const run = spawnSync(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-m', String(MEMORY >> 20), '-nodefaults', '-display', 'none', '-no-reboot'],
      ...['-machine', 'graphics=off', '-bios', SEABIOS, '-device', 'isa-debug-exit,iobase=0xf4'],
      ...['-serial', `file:${at('screen')}`, '-serial', `file:${at('drive')}`],
      ...['-debugcon', `file:${at('log')}`, '-global', 'isa-debugcon.iobase=0x402'],
      ...['-drive', `file=${disk},format=raw,if=none,id=disk,snapshot=on`, '-device', 'virtio-blk-pci,drive=disk'],
    ],
    { encoding: 'latin1', timeout: patience(60_000), killSignal: 'SIGKILL' },
  );
  assert.equal(run.status, 1, run.stderr);
  const [screen, drive, log] = ['screen', 'drive', 'log'].map((name) => readFileSync(at(name)));
  return { screen: untilDone(String(screen)), drive: [...(drive ?? [])], log: String(log) };
}

async function withFirmware(wanted: MachineOptions, body: (session: Session) => Promise<void>): Promise<void> {
  const session = Session.over(await createMachine(wanted));
  try {
    await body(session);
  } finally {
    await session.machine.close();
  }
}

async function runsToEnd(session: Session): Promise<Told> {
  const { cause, exitStatus } = await session.goToEnd();
  assert.deepEqual({ cause, exitStatus }, { cause: 'debug-exit', exitStatus: 1 }, toldBy(session).log);
  return toldBy(session);
}

/** Linear address of the next instruction. */
const pcOf = (session: Session) => session.register('cs_base') + session.register('rip');

/** Lines that say what machine SeaBIOS has found, and are as true of QEMU's. */
const SAID = [
  /^SeaBIOS \(version .*\)$/m,
  /^Running on QEMU \(i440fx\)$/m,
  /^Found QEMU fw_cfg$/m,
  /^qemu\/e820: addr 0x0{16} len 0x0{9}4000000 \[RAM\]$/m,
  /^Found 1 cpu\(s\) max supported 1 cpu\(s\)$/m,
  /^found virtio-blk at /m,
  /using modern \(1\.0\) virtio mode$/m,
  /^table\(50434146\)=/m,
  /^ACPI: parse DSDT at /m,
  /^PS2 keyboard initialized$/m,
  /^Booting from 0000:7c00$/m,
];

const skip =
  (!existsSync('/dev/kvm') && 'no /dev/kvm') || (!existsSync(SEABIOS) && 'Debian’s package seabios is not here');

describe('firmware', { skip, timeout: patience(300_000) }, () => {
  test('boots the disk, and says what it says under QEMU', async () => {
    const disk = image(2048);
    const theirs = onQemu(disk);
    assert.match(theirs.screen, /first sector\r\nsecond sector\r\ndone$/);
    await withFirmware(options(disk), async (session) => {
      const ours = await runsToEnd(session);
      assert.equal(ours.screen, theirs.screen);
      assert.deepEqual(ours.drive, theirs.drive);
      for (const words of SAID) {
        assert.match(theirs.log, words);
        assert.match(ours.log, words);
      }
      assert.equal(words(ours.log, /^drive .*: (PCHS.*)$/m), words(theirs.log, /^drive .*: (PCHS.*)$/m));
    });
  });

  test('starts at the reset vector; a breakpoint in the boot sector stops there, and all goes on', () => {
    const disk = image(2048);
    const code = readFileSync(disk).subarray(0, SECTOR);
    return withFirmware(options(disk), async (session) => {
      const { machine } = session;
      assert.equal(pcOf(session), RESET_VECTOR);
      const rom = readFileSync(SEABIOS);
      assert.deepEqual(Buffer.from(machine.readVirtual(0, RESET_VECTOR, 16)), rom.subarray(-16));
      machine.insertBreakpoint('software', BOOT_SECTOR, 1);
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: BOOT_SECTOR, hardware: false });
      assert.equal(pcOf(session), BOOT_SECTOR);
      assert.deepEqual(Buffer.from(machine.readVirtual(0, BOOT_SECTOR, SECTOR)), code);
      assert.equal((await session.go({ kind: 'step' })).kind, 'step');
      assert.equal(pcOf(session), BOOT_SECTOR + 2n);
      assert.match((await runsToEnd(session)).screen, /second sector\r\ndone$/);
    });
  });

  test('keeps its ROM, whatever the guest writes there', () => {
    const disk = image(2048, PROGRAM.replace(MORE, WRITES_ROM));
    return withFirmware(options(disk), async (session) => {
      const { machine } = session;
      const roms = machine.memoryMap().regions.filter(({ kind }) => kind === 'rom');
      assert.deepEqual(
        roms.map(({ start, end }) => [start, end]),
        [['0xfffc0000', '0x100000000']],
      );
      await runsToEnd(session);
      assert.deepEqual(Buffer.from(machine.memory.read(RESET_VECTOR, 16)), readFileSync(SEABIOS).subarray(-16));
    });
  });

  test('boots again after a restart, and goes on from a snapshot in a file', async () => {
    const disk = image(2048);
    const path = join(folder, 'snapshot');
    await withFirmware(options(disk), async (session) => {
      const { machine } = session;
      machine.insertBreakpoint('software', BOOT_SECTOR, 1);
      await session.go();
      await machine.snapshots.take('booted');
      await machine.snapshots.save('booted', path);
      await machine.snapshots.restart();
      await session.next();
      assert.equal(pcOf(session), RESET_VECTOR);
      assert.equal((await session.go()).kind, 'breakpoint');
    });
    const session = Session.over(await restoreMachine(path, { path: disk, persist: false }));
    try {
      assert.equal(pcOf(session), BOOT_SECTOR);
      assert.deepEqual(Buffer.from(session.machine.memory.read(RESET_VECTOR, 16)), readFileSync(SEABIOS).subarray(-16));
      const end = await session.goToEnd();
      assert.equal(end.cause, 'debug-exit');
    } finally {
      await session.machine.close();
    }
  });

  test('finds all processors, boots a disk of less than a cylinder, and has each key once', () =>
    withFirmware(options(image(2, PROGRAM.replace(MORE, TYPED)), { cpus: 2 }), async (session) => {
      const { console } = session.machine;
      let typed = false;
      console.onOutput(() => {
        if (typed || !String(Buffer.from(console.history())).includes('first secto')) return;
        typed = true;
        console.input(Buffer.from('xy'));
      });
      const { screen, log } = await runsToEnd(session);
      assert.match(screen, /first sector\r\nxysecond sector\r\ndone$/);
      assert.match(log, /^Found 2 cpu\(s\) max supported 2 cpu\(s\)$/m);
    }));
});

const words = (text: string, pattern: RegExp) => pattern.exec(text)?.[1];
