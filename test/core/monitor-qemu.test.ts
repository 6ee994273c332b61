/** The `monitor` texts that scripts read, beside those of QEMU on the same KVM with the same guest. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseRegisters } from '../../debug-adapter/target/monitor/hmp-registers.ts';
import type { Machine } from '../../hypervisor-core/machine/api.ts';
import { createMachine } from '../../hypervisor-core/machine/machine.ts';
import { monitorCommands } from '../../hypervisor-core/stub/monitor/commands.ts';
import type { Client } from '../../hypervisor-core/stub/packet.ts';
import { patience } from '../patience.ts';
import { halted } from './halted.ts';
import { buildHeld, ioapic, out, pics } from './held-interrupts.ts';
import { QemuMonitor } from './qemu-monitor.ts';
import { lacks } from './run-control-kit.ts';
import { Session } from './tiny-guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-monitor-'));
after(() => rmSync(folder, { recursive: true }));

/** Fills in the tables at 2 MiB, switches paging on. */
const paging = (cr4: number, efer: number, tables: readonly (readonly [at: number, entry: bigint])[]) => `
  cld
  movl $0x200000, %edi
  movl $0x8000, %ecx
  xorl %eax, %eax
  rep stosl
  ${tables.map(([at, entry]) => `movl $${BigInt.asUintN(32, entry)}, ${at}\nmovl $${entry >> 32n}, ${at + 4}`).join('\n')}
  movl $${cr4}, %eax
  movl %eax, %cr4
  movl $0x200000, %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx
  movl $${efer}, %eax
  xorl %edx, %edx
  wrmsr
  movl $0x80010011, %eax
  movl %eax, %cr0
`;
const NX = 1n << 63n;

const in32Bits = {
  name: '32-bit page tables',
  code: paging(0x10, 0, [
    [0x20_0000, 0x20_1007_0000_0083n],
    [0x20_0008, 0x40_0187n],
    [0x20_1000, 0x30_1005_0030_0067n],
    [0x20_1008, 0x30_2103n],
  ]),
  commands: ['info tlb', 'info mem', 'gva2gpa 0x400123', 'gva2gpa 0xc00000'],
};

const guests = [
  {
    name: 'interrupt controllers that the guest has set up',
    // Edges everywhere, priorities turned by two, reads give the ISR; pins of all kinds.
    code:
      pics(0xff) +
      out(0x4d0, 0x20) +
      out(0x4d1, 0) +
      out(0x20, 0xc1) +
      out(0x20, 0x0b) +
      Array.from({ length: 24 }, (_, pin) => ioapic(0x11 + 2 * pin, 0) + ioapic(0x10 + 2 * pin, 0x1_0000)).join('') +
      ioapic(0x21, 0x0500_0000) +
      ioapic(0x20, 0x1_0124) +
      ioapic(0x27, 0x2500_0000) +
      ioapic(0x26, 0xa931) +
      ioapic(0x28, 0x1_0400) +
      ioapic(0x2a, 0x1_0700) +
      ioapic(0x2c, 0x1_0500) +
      ioapic(0x2e, 0x1_0200),
    commands: ['info pic', 'info tlb', 'info mem'],
  },
  {
    name: '4-level page tables',
    code: paging(0x20, 0x900, [
      [0x20_0000, 0x20_1027n],
      [0x20_0800, 0x20_1003n | NX],
      [0x20_0ff8, 0x20_1023n],
      [0x20_1000, 0x20_2027n],
      [0x20_1ff0, 0x20_2003n],
      [0x20_2000, 0xe3n],
      [0x20_2008, 0x20_3007n | NX],
      [0x20_2010, 0x20_3005n],
      [0x20_3000, 0x30_0067n],
      [0x20_3008, 0x30_1105n],
      [0x20_3ff8, 0x30_2019n | NX],
    ]),
    commands: ['info tlb', 'info mem', 'gva2gpa 0x201fff', 'gva2gpa 0xffffffff80201abc'],
  },
  ...(lacks('paging-32') ? [] : [in32Bits]),
];

/** Sets all that it can of what else a loader has left. */
const registersGuest = {
  code: `
  lgdt gdtr
  lidt idtr
  ljmp $0x18, $1f
1: movw $0x28, %ax
  ltr %ax
  movw $0x30, %ax
  lldt %ax
  movw $0x20, %ax
  ${['ds', 'es', 'fs', 'gs', 'ss'].map((segment) => `movw %ax, %${segment}`).join('\n')}
  ${['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'ebp', 'esp'].map((name, index) => `movl $${0x1111_1111 * (index + 1)}, %${name}`).join('\n')}
  cmpl %eax, %eax
  stc
  jmp 9f
gdtr: .word 0x37
  .long gdt
idtr: .word 0x7ff
  .long 0x9000
  .balign 8
gdt: .quad 0, 0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x0000890080000067, 0x000082007000001f
`,
};

/** What is written `NAME=value`, by names of all widths. */
const named = (text: string) =>
  new Map(
    [...text.matchAll(/\b(?:[ER](?=[ABCD]X|[SD]I|[BS]P|IP|FL))?(\w+)=([0-9a-f]+)\b/g)].map(([, name = '', value]) => [
      name,
      BigInt(`0x${value}`),
    ]),
  );

/** The answer of our monitor to a client that looks at the first vCPU. */
function ask(machine: Machine, line: string): string | Promise<string> {
  const command = monitorCommands.find(({ name }) => line === name || line.startsWith(`${name} `));
  assert.ok(command, line);
  const client: Pick<Client, 'machine' | 'vcpu'> = { machine, vcpu: machine.vcpus[0]! };
  return command.run(client as Client, line.slice(command.name.length + 1));
}

const withoutReturns = (text: string) => text.replaceAll('\r', '').replace(/\(qemu\) $/, '');

/** Without the request of the PIT, which has been running for as long as it took to get here. */
const withoutTimer = (text: string) =>
  text.replace(/(pic0: irr=)([0-9a-f]{2})/, (_, start, irr) => start + (Number.parseInt(irr, 16) & ~1).toString(16));

/** The guest under both; QEMU is gone whatever happens. */
async function withBoth(
  { code }: { readonly code: string },
  body: (machine: Machine, qemu: QemuMonitor) => Promise<void>,
): Promise<void> {
  const guest = buildHeld({ code });
  const kernel = join(folder, 'guest');
  guest.save(kernel);
  const boot = { name: 'guest', file: guest.image, commandLine: '' };
  const machine = await createMachine({ boot, memory: 16 << 20, cpus: 1 });
  const qemu = new QemuMonitor(kernel, [], 'kvm');
  try {
    await body(machine, qemu);
  } finally {
    qemu.kill();
    await machine.close();
  }
}

describe('monitor texts are those of QEMU', { skip: !existsSync('/dev/kvm') && 'no /dev/kvm' }, () => {
  const timeout = patience(60_000);

  for (const { name, code, commands } of guests) {
    test(name, { timeout }, () =>
      withBoth({ code }, async (machine, qemu) => {
        await halted(machine);
        await qemu.halted((registers) => /[ER]IP=0*1[0-9a-f]{5}\b/.test(registers));
        for (const command of commands) {
          const theirs = withoutReturns(await qemu.ask(command));
          assert.ok(theirs.length > 0, command);
          assert.equal(withoutTimer(await ask(machine, command)), withoutTimer(theirs), command);
        }
      }),
    );
  }

  test('info registers: general, segments with what is hidden of them, tables, control and debug', { timeout }, () =>
    withBoth(registersGuest, async (machine, qemu) => {
      await halted(machine);
      await qemu.halted((registers) => /[ER]IP=0*1[0-9a-f]{5}\b/.test(registers));
      const ours = await ask(machine, 'info registers');
      const theirs = withoutReturns(await qemu.ask('info registers'));
      assert.deepEqual(parseRegisters(ours), parseRegisters(theirs));
      const [mine, own] = [named(ours), named(theirs)];
      for (const name of [
        'AX',
        'BX',
        'CX',
        'DX',
        'SI',
        'DI',
        'BP',
        'SP',
        'IP',
        'FL',
        'CR0',
        'CR2',
        'CR3',
        'CR4',
        'EFER',
      ]) {
        assert.ok(mine.has(name), name);
        assert.equal(mine.get(name), own.get(name), name);
      }
      assert.equal(mine.get('BX'), 0x2222_2222n);
    }),
  );

  if (lacks('paging-32')) {
    test('32-bit page tables cannot be switched on here: a guest without handlers ends', { timeout }, async () => {
      const boot = { name: 'guest', file: buildHeld(in32Bits).image, commandLine: '' };
      const session = Session.over(await createMachine({ boot, memory: 16 << 20, cpus: 1 }));
      try {
        assert.equal((await session.go()).kind, 'triple-fault');
        const PAGING = 1n << 31n;
        assert.deepEqual([session.register('cr0') & PAGING, session.register('rax') & PAGING], [0n, PAGING]);
      } finally {
        await session.machine.close();
      }
    });
  }

  test('gpa2hva names a place in this process that holds the guest’s byte', { timeout }, () =>
    withBoth({ code: 'movl $0x12345678, 0x300004' }, async (machine, qemu) => {
      await halted(machine);
      const general = (text: string) => text.replace(/\(.*\)/, '(RAM)').replace(/is 0x[0-9a-f]+/, 'is THERE');
      for (const address of ['0x300004', '3145732', '0xfee00000', '0x90000000']) {
        const theirs = withoutReturns(await qemu.ask(`gpa2hva ${address}`));
        assert.equal(general(await ask(machine, `gpa2hva ${address}`)), general(theirs));
      }
      const [, host = ''] = / is (0x[0-9a-f]+)/.exec(await ask(machine, 'gpa2hva 0x300004')) ?? [];
      const bytes = Buffer.alloc(4);
      const memory = openSync('/proc/self/mem', 'r');
      readSync(memory, bytes, 0, 4, BigInt(host));
      closeSync(memory);
      assert.equal(bytes.readUInt32LE(), 0x1234_5678);
    }),
  );
});
