/** One session through all modes of the processor: a boot sector goes from real to protected, PAE and long mode. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { assembleSector } from '../guests/boot-sector.ts';
import { coreAdapter, hostAnswers, noKvm } from './core-adapter.ts';
import { evaluate, launch, move, runToStop, topFrame, withAdapter } from './driving.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-modes-'));
after(() => rmSync(folder, { recursive: true }));

const PAE = `
  movl %cr0, %eax
  orl $0x80000000, %eax
pae_on: movl %eax, %cr0
pae: pushl %ebx
  movl %cr0, %eax
  andl $0x7fffffff, %eax
  movl %eax, %cr0
`;

/** `pae`: what lies between protected and long mode. */
const bootSector = (pae: string) => `
.code16
.globl _start
_start: cli
  xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %ss
  movw $0x7c00, %sp
  movw $0xbeef, %bx
real: pushw %bx
  movw $0x5678, %cx
  lgdt table
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $8, $flat
.code32
flat: movw $16, %ax
  movw %ax, %ds
  movw %ax, %ss
  movl $0xdeadbeef, %ebx
protected: pushl %ebx
  movl $0x12345678, %ecx
  # Page tables: 2 MiB at 0, by the directory at 3000h.
  movl $0x2003, 0x1000
  movl $0x3003, 0x2000
  movl $0x83, 0x3000
  movl $0x3001, 0x4000
  movl $0x4000, %eax
  movl %eax, %cr3
  movl $0x20, %eax
  movl %eax, %cr4
  ${pae}
  movl $0x1000, %edx
  movl %edx, %cr3
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x100, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000000, %eax
  movl %eax, %cr0
  ljmpl $24, $wide
.code64
wide: movabsq $0x0123456789abcdef, %rbx
long: pushq %rbx
  movabsq $0x1122334455667788, %rcx
  hlt
.align 8
gdt: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
table: .word 31
  .long gdt
. = 510
.word 0xaa55
`;

/** Addresses of the labels, as nm has them. */
function labelsOf(elf: string): ReadonlyMap<string, number> {
  const symbols = execFileSync('nm', [elf], { encoding: 'utf8' });
  return new Map(
    [...symbols.matchAll(/^(\w+) t (\w+)$/gm)].map(([, value, name]) => [name ?? '', Number(`0x${value}`)]),
  );
}

/** Address and bytes of instructions, as objdump decodes them for a processor in that mode. */
function decoded(image: string, machine: string, address: number, count: number): string[] {
  const where = ['-b', 'binary', '--adjust-vma=0x7c00', `--start-address=${address}`];
  const text = execFileSync('objdump', ['-D', '-w', '-m', machine, ...where, image], { encoding: 'utf8' });
  const rows = [...text.matchAll(/^ +([0-9a-f]+):\t((?:[0-9a-f]{2} )+)/gm)];
  return rows.slice(0, count).map(([, start, bytes]) => `${start} ${bytes?.trim()}`);
}

async function disassembled(client: DapClient, memoryReference: string, instructionCount: number): Promise<string[]> {
  const { instructions } = (await client.request('disassemble', { memoryReference, instructionCount })) ?? {};
  return (instructions ?? []).map(
    ({ address, instructionBytes }) => `${BigInt(address).toString(16)} ${instructionBytes}`,
  );
}

const hasPae = hostAnswers('paging-32', 'yes');

const modes = [
  { label: 'real', machine: 'i8086', width: 2, pushed: 0xbeefn },
  { label: 'protected', machine: 'i386', width: 4, pushed: 0xdeadbeefn },
  ...(hasPae ? [{ label: 'pae', machine: 'i386', width: 4, pushed: 0xdeadbeefn }] : []),
  { label: 'long', machine: 'i386:x86-64', width: 8, pushed: 0x0123456789abcdefn },
];

/** Launches a boot sector with breakpoints at labels of it. */
async function launchSector(client: DapClient, code: string, at: readonly string[]) {
  const { elf, image } = assembleSector(join(folder, 'boot'), code);
  const labels = labelsOf(elf);
  await launch(client, { program: image });
  await client.request('setInstructionBreakpoints', {
    breakpoints: at.map((label) => ({ instructionReference: `0x${labels.get(label)?.toString(16)}` })),
  });
  return { image, labels };
}

test('one session follows a guest through all modes that there are', { skip: noKvm }, () =>
  withAdapter(coreAdapter, async (client) => {
    const { image, labels } = await launchSector(
      client,
      bootSector(hasPae ? PAE : ''),
      modes.map(({ label }) => label),
    );
    for (const [index, { label, machine, width, pushed }] of modes.entries()) {
      await (index === 0 ? runToStop(client) : move(client, 'continue'));
      const { instructionPointerReference = '' } = await topFrame(client);
      const address = labels.get(label) ?? 0;
      assert.equal(Number(instructionPointerReference), address, label);
      assert.deepEqual(
        await disassembled(client, instructionPointerReference, 3),
        decoded(image, machine, address, 3),
        label,
      );
      const before = BigInt(await evaluate(client, '$rsp'));
      await move(client, 'next', { granularity: 'instruction' });
      const after = BigInt(await evaluate(client, '$rsp'));
      assert.equal(before - after, BigInt(width), label);
      const { data = '' } =
        (await client.request('readMemory', { memoryReference: `0x${after.toString(16)}`, count: width })) ?? {};
      assert.deepEqual(
        Buffer.from(data, 'base64').reverse().toString('hex'),
        pushed.toString(16).padStart(2 * width, '0'),
      );
    }
  }),
);

if (!hasPae) {
  test('a guest that turns on paging of 32 bits, which this KVM lacks, stops there', { skip: noKvm }, () =>
    withAdapter(coreAdapter, async (client) => {
      const { labels } = await launchSector(client, bootSector(PAE), ['pae']);
      const { text = '' } = await runToStop(client);
      const address = labels.get('pae_on') ?? 0;
      assert.ok(text.startsWith(`The guest raised a triple fault at 0x${address.toString(16)}:`), text);
      assert.match(text, /turning on 32-bit or PAE paging, which KVM on this host refuses/);
      assert.equal(Number((await topFrame(client)).instructionPointerReference), address);
      assert.equal(await evaluate(client, '$cr0 >> 31'), '0');
    }),
  );
}
