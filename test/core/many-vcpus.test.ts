/** Machines with many processors, each started by INIT and SIPI. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { patience } from '../patience.ts';
import { imm32, withSession } from './tiny-guest.ts';

const ENTRY = 0x70000;
/** One byte for each APIC id, and how many have come. */
const [MARKS, COUNT] = [0x7100, 0x7000];
const half = (value: number) => [value & 0xff, value >> 8];

/** Starts all the others, waits for them, ends the guest when it has been let go once more. */
const starter = (others: number) => [
  // mov eax, ICR; mov dword [rax], INIT to all but self; mov dword [rax], SIPI
  ...[0xb8, ...imm32(0xfee0_0300), 0xc7, 0x00, ...imm32(0xc_4500), 0xc7, 0x00, ...imm32(0xc_4600 | (ENTRY >> 12))],
  // wait: cmp word [COUNT], others; jne wait; out 0xf4, al
  ...[0x66, 0x81, 0x3c, 0x25, ...imm32(COUNT), ...half(others), 0x75, 0xf4, 0xe6, 0xf4],
];
/** Real mode. Marks its initial APIC id (CPUID leaf 1, EBX 31:24), counts itself, sleeps. */
const secondary = Uint8Array.from([
  // xor ax, ax; mov ds, ax; mov eax, 1; cpuid; shr ebx, 24; inc byte [bx + MARKS]; lock inc word [COUNT]
  ...[0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xb8, ...imm32(1), 0x0f, 0xa2, 0x66, 0xc1, 0xeb, 24],
  ...[0xfe, 0x87, ...half(MARKS), 0xf0, 0xff, 0x06, ...half(COUNT)],
  // sleep: cli; hlt; jmp sleep
  ...[0xfa, 0xf4, 0xeb, 0xfc],
]);

for (const cpus of [8, 64]) {
  describe(`${cpus} vCPUs`, () => {
    test('start, each with an id of its own, stop together, and end', { timeout: patience(120_000) }, () =>
      withSession(
        { code: starter(cpus - 1), more: [{ gpa: BigInt(ENTRY), bytes: secondary, name: 'secondary' }] },
        async (session) => {
          const { machine } = session;
          assert.equal(machine.vcpus.length, cpus);
          const end = BigInt(0x100000 + starter(0).length - 2);
          machine.insertBreakpoint('software', end, 1);
          assert.deepEqual(await session.go(), { kind: 'breakpoint', address: end, hardware: false });
          assert.deepEqual(
            [...machine.memory.read(BigInt(MARKS), cpus)],
            Array.from({ length: cpus }, (_, id) => (id === 0 ? 0 : 1)),
          );
          for (let vcpu = 1; vcpu < cpus; vcpu++) {
            assert.equal(session.register('cs', vcpu), BigInt(ENTRY >> 4), `vCPU ${vcpu}`);
            assert.ok(session.register('rip', vcpu) <= BigInt(secondary.length), `vCPU ${vcpu}`);
          }
          assert.equal((await session.goToEnd()).cause, 'debug-exit');
        },
        { cpus },
      ),
    );
  });
}
