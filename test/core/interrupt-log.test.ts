/** The log of interrupts beside what the guest counted, and what KVM itself counted. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { decodeIoapicPin } from '../../hypervisor-core/interrupts/irqchip.ts';
import { decodeMessage } from '../../hypervisor-core/interrupts/message.ts';
import { CODE, DATA, imm32, type Session, withSession } from './tiny-guest.ts';

const VECTOR = 0x24;
const MASTER_BASE = 0x20;
const COM1_LINE = 4;
/** Interrupts that the guest waits for, one after the other. */
const TAKEN = 40;
/** What the log keeps. */
const KEPT = 1024;

const IOAPIC = 0x4000_0000;
/** The page of the I/O APIC, uncached. */
const at1GiB = 0xfec0_0000n | 0x9bn;

const outDx = (port: number, value: number) => [0xba, ...imm32(port), 0xb0, value, 0xee];
const outImm = (port: number, value: number) => [0xb0, value, 0xe6, port];
/** mov eax, address; mov dword [rax], value */
const store = (address: number, value: number) => [0xb8, ...imm32(address), 0xc7, 0x00, ...imm32(value)];

const ioapic = (register: number, value: number) => [...store(IOAPIC, register), ...store(IOAPIC + 0x10, value)];
const masksPic = outImm(0x21, 0xff);
const byIoapic = [...masksPic, ...store(0xfee0_00f0, 0x1ff), ...ioapic(0x10 + 2 * COM1_LINE, VECTOR)];
const byPic = [
  ...[outImm(0x20, 0x11), outImm(0x21, MASTER_BASE), outImm(0x21, 4), outImm(0x21, 1)].flat(),
  ...outImm(0x21, 0xff & ~(1 << COM1_LINE)),
];

/** OUT2 lets COM1's interrupt through; that the transmitter is empty is the first one, and each byte sent another. */
const asks = [...outDx(0x3fc, 0x0b), ...outDx(0x3f9, 0x02)];
const ends = outImm(0xf4, 3);
const sends = (count: number) => [
  // sti; mov ebx, 1
  ...[0xfb, 0xbb, ...imm32(1)],
  // wait: pause; cmp [rdi], ebx; jne wait
  ...[0xf3, 0x90, 0x39, 0x1f, 0x75, 0xfa],
  // cmp ebx, count; je done; inc ebx; mov edx, 0x3f8; mov al, 'x'; out dx, al; jmp wait
  ...[0x81, 0xfb, ...imm32(count), 0x74, 12, 0xff, 0xc3, ...outDx(0x3f8, 0x78), 0xeb, 0x100 - 26],
  ...ends,
];
/** push rax; push rdx; inc dword [rdi]; mov edx, 0x3fa; in al, dx (takes the request back); `eoi`; pop rdx; pop rax; iretq */
const counts = (eoi: readonly number[]) => [
  ...[0x50, 0x52, 0xff, 0x07, 0xba, ...imm32(0x3fa), 0xec],
  ...eoi,
  ...[0x5a, 0x58, 0x48, 0xcf],
];
const apicEoi = store(0xfee0_00b0, 0);
const vectors = [VECTOR];

const counted = ({ machine }: Session) => new DataView(machine.memory.read(DATA, 4).slice().buffer).getUint32(0, true);
const injections = ({ machine }: Session) => machine.exits.times()[0]?.statistics['irq_injections'];

describe('the interrupt log', { skip: !existsSync('/dev/kvm') && 'no /dev/kvm', timeout: 120_000 }, () => {
  const ways = [
    { way: 'the I/O APIC', program: byIoapic, eoi: apicEoi, masked: 'pic' },
    { way: 'the PIC', program: byPic, eoi: outImm(0x20, 0x20), masked: 'ioapic' },
  ];
  for (const { way, program, eoi, masked } of ways) {
    test(`of a line through ${way} has as many as the guest counted`, () =>
      withSession(
        { code: [...program, ...asks, ...sends(TAKEN)], handler: counts(eoi), vectors, at1GiB },
        async (session) => {
          await session.goToEnd();
          assert.equal(counted(session), TAKEN);
          // KVM counts one again whose delivery something came in between of, and none that the processor delivers by itself.
          const injected = injections(session) ?? 0;
          assert.ok(injected === 0 || injected >= TAKEN, `${injected} by KVM's count`);
          const { records, total, counts: byVector, time } = session.machine.interruptLog(10_000);
          assert.deepEqual([total, records.length, byVector], [TAKEN, TAKEN, [{ vector: VECTOR, count: TAKEN }]]);
          for (const [index, record] of records.entries()) {
            const { sequence, source, device, line, outcome, ioapicEntry, picVector } = record;
            assert.deepEqual([sequence, source, device, line], [index, 'line', 'COM1', COM1_LINE]);
            assert.equal(outcome, 'requested');
            const vector = masked === 'pic' ? pinVector(ioapicEntry) : picVector;
            assert.deepEqual([vector, masked === 'pic' ? picVector : ioapicEntry], [VECTOR, undefined]);
            assert.ok(record.time >= (records[index - 1]?.time ?? 0) && record.time <= time);
          }
        },
      ));
  }

  test("of the clock's line has edges that came before the end of interrupt, and the guest gets them", () => {
    const CLOCK_VECTOR = 0x28;
    const code = [
      ...[...masksPic, ...store(0xfee0_00f0, 0x1ff), ...ioapic(0x10 + 2 * 8, CLOCK_VECTOR)],
      // Register A: 1,024 Hz; register B: periodic interrupts.
      ...[outImm(0x70, 0x0a), outImm(0x71, 0x26), outImm(0x70, 0x0b), outImm(0x71, 0x42)].flat(),
      // sti; wait: pause; cmp dword [rdi], 5; jb wait
      ...[0xfb, 0xf3, 0x90, 0x83, 0x3f, 5, 0x72, 0xf9],
      ...ends,
    ];
    // push rax; push rcx; inc dword [rdi]; register C takes the request back; mov ecx, 30000; dec ecx; jnz; `eoi`; pop; pop; iretq
    const handler = [
      ...[0x50, 0x51, 0xff, 0x07, ...outImm(0x70, 0x0c), 0xe4, 0x71],
      ...[0xb9, ...imm32(30_000), 0xff, 0xc9, 0x75, 0xfc],
      ...[...apicEoi, 0x59, 0x58, 0x48, 0xcf],
    ];
    return withSession({ code, handler, vectors: [CLOCK_VECTOR], at1GiB }, async (session) => {
      await session.goToEnd();
      const { records, counts: byVector } = session.machine.interruptLog(100);
      assert.ok(records.every(({ line, outcome }) => line === 8 && outcome === 'requested'));
      const [{ vector, count } = { vector: 0, count: 0 }, ...others] = byVector;
      assert.deepEqual([vector, others], [CLOCK_VECTOR, []]);
      assert.ok(count >= counted(session) && counted(session) >= 5, `${count} sent, ${counted(session)} taken`);
    });
  });

  test('says that a line which all controllers mask is heard by none', () =>
    withSession({ code: [...masksPic, ...asks, ...ends], vectors }, async (session) => {
      await session.goToEnd();
      const { records, counts: byVector } = session.machine.interruptLog(10);
      assert.deepEqual(byVector, []);
      assert.deepEqual(
        records.map(({ outcome, ioapicEntry, picVector }) => [outcome, ioapicEntry, picVector]),
        [['masked', undefined, undefined]],
      );
    }));

  test('keeps the last, says how many there were, and is empty after a restart', () =>
    withSession(
      { code: [...byIoapic, ...asks, ...sends(KEPT + TAKEN)], handler: counts(apicEoi), vectors, at1GiB },
      async (session) => {
        const { machine } = session;
        await session.goToEnd();
        const { records, total, counts: byVector } = machine.interruptLog(1e9);
        assert.deepEqual([records[0]?.sequence, records.length, total], [TAKEN, KEPT, KEPT + TAKEN]);
        assert.deepEqual(byVector, [{ vector: VECTOR, count: KEPT + TAKEN }]);
        assert.deepEqual(
          machine.interruptLog(2).records.map(({ sequence }) => sequence),
          [KEPT + TAKEN - 2, KEPT + TAKEN - 1],
        );
        await machine.snapshots.restart();
        assert.deepEqual([machine.interruptLog(10).total, machine.interruptLog(10).counts], [0, []]);
      },
    ));

  test('has what is injected by hand', () =>
    withSession({ code: [...byIoapic, 0xf3, 0x90, 0xeb, 0xfc], vectors, at1GiB }, async (session) => {
      const { machine, vcpu } = session;
      const loop = CODE + BigInt(byIoapic.length);
      machine.insertBreakpoint('software', loop, 1);
      assert.equal((await session.go()).kind, 'breakpoint');
      vcpu.inject(VECTOR);
      vcpu.inject();
      const { records, counts: byVector } = machine.interruptLog(10);
      const routes = records.map(({ source, address, data }) => {
        const { vector, delivery, destination } = decodeMessage(BigInt(address ?? 0), data ?? 0);
        return [source, delivery === 'NMI' ? delivery : vector, destination];
      });
      assert.deepEqual(routes, [
        ['user', VECTOR, 0],
        ['user', 'NMI', 0],
      ]);
      assert.deepEqual(byVector, [
        { vector: 2, count: 1 },
        { vector: VECTOR, count: 1 },
      ]);
    }));
});

const pinVector = (entry: string | undefined) => entry && decodeIoapicPin(COM1_LINE, BigInt(entry), false).vector;
