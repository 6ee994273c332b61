/** A guest that SeaBIOS boots from its disk, debugged by the symbols of what is in the boot sector; and what no firmware is. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { assembleSector } from '../guests/boot-sector.ts';
import { SEABIOS } from '../guests/seabios.ts';
import { patience } from '../patience.ts';
import { noQemu, qemuAdapter } from '../stubs/qemu.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, launch, move, printed, runToStop, topFrame, withAdapter } from './driving.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-firmware-'));
after(() => rmSync(folder, { recursive: true }));

/** Prints a line by INT 10h, then halts in `after`. */
const PROGRAM = `
.code16
.globl _start, after
_start: xorw %ax, %ax
  movw %ax, %ds
  movw $text, %si
1: lodsb
  testb %al, %al
  jz after
  movb $0x0e, %ah
  movw $7, %bx
  int $0x10
  jmp 1b
after: sti
  hlt
  jmp after
text: .asciz "boot sector\\r\\n...."
. = 510
.word 0xaa55
`;

function guest() {
  const { elf, image } = assembleSector(join(folder, 'boot'), PROGRAM);
  const disk = join(folder, 'disk');
  writeFileSync(disk, readFileSync(image));
  truncateSync(disk, 1 << 20);
  return { program: elf, disk, firmware: SEABIOS };
}

const instruction = async (client: Parameters<typeof topFrame>[0]) =>
  BigInt((await topFrame(client)).instructionPointerReference ?? '');

const noFirmware = !existsSync(SEABIOS) && 'Debian’s package seabios is not here';

for (const [where, adapter, skip] of [
  ['our own core', coreAdapter, noKvm || noFirmware],
  ['QEMU', qemuAdapter, noQemu || noFirmware],
] as const) {
  test(`a disk is booted and debugged under ${where}`, { skip, timeout: patience(120_000) }, () =>
    withAdapter(adapter, async (client) => {
      const { program, disk, firmware } = guest();
      await launch(client, { program, disk, firmware, stopOnEntry: true });
      await runToStop(client);
      assert.equal(await instruction(client), 0xffff_fff0n);
      assert.equal(BigInt(await evaluate(client, '$rip')), 0xfff0n);
      assert.equal(BigInt(await evaluate(client, '$cs')), 0xf000n);
      const { instructions = [] } =
        (await client.request('disassemble', { memoryReference: '0xfffffff0', instructionCount: 1 })) ?? {};
      // IBM's entry of the power-on self-test, f000:e05b.
      assert.equal(instructions[0]?.instruction, 'jmp far 0xe05b, 0xf000');
      await client.request('setFunctionBreakpoints', { breakpoints: [{ name: '_start' }, { name: 'after' }] });
      await move(client, 'continue');
      assert.equal((await topFrame(client)).name, '_start');
      assert.equal(await instruction(client), 0x7c00n);
      await Promise.all([printed(client, 'boot sector'), move(client, 'continue')]);
      assert.equal((await topFrame(client)).name, 'after');
    }),
  );
}

describe('what is no firmware is refused by the attribute’s name', { skip: noKvm }, () => {
  const sized = (bytes: number) => {
    const path = join(folder, `firmware-${bytes}`);
    writeFileSync(path, '');
    truncateSync(path, bytes);
    return path;
  };
  const wrong: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['a file that is not there', { firmware: join(folder, 'nothing') }, /"firmware": cannot read .*: there is no such/],
    ['a size of no image', { firmware: sized(100_000) }, /"firmware" names .* has 100000 bytes; .* 64 KiB\.$/],
    ['an empty file', { firmware: sized(0) }, /"firmware" names .* has 0 bytes; .* 64 KiB\.$/],
    ['too large a file', { firmware: sized((16 << 20) + (64 << 10)) }, /"firmware" names .*; there is room for 16 MiB/],
    ['a number', { firmware: 7 }, /"firmware" must be a path, not 7/],
    ['a kernel’s command line', { firmware: sized(65_536), args: ['quiet'] }, /"args" does not go with "firmware"/],
    ['a way to boot a kernel', { firmware: sized(65_536), boot: 'linux' }, /"boot" does not go with "firmware"/],
    ['neither kernel nor firmware', {}, /"program" is missing/],
  ];
  for (const [name, attributes, expected] of wrong) {
    test(name, () =>
      withAdapter(coreAdapter, (client) =>
        assert.rejects(launch(client, { program: undefined, ...attributes }), expected),
      ),
    );
  }
});
