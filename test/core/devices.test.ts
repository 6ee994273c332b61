/** Devices under a guest: tiny programs that drive them by port, on whatever KVM is here. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { patience } from '../patience.ts';
import { DATA, imm32, type Session, withSession } from './tiny-guest.ts';

/** out 0xf4, al: ends the guest; the status tells AL. */
const EXIT_AL = [0xe6, 0xf4];
const statusOf = (al: number) => ((al << 1) | 1) & 0xff;
/** mov dx, port */
const dx = (port: number) => [0x66, 0xba, port & 0xff, port >> 8];
/** mov al, byte; out dx, al */
const outb = (port: number, byte: number) => [...dx(port), 0xb0, byte, 0xee];
const registersOf = (session: Session, device: string) =>
  Object.fromEntries(
    session.machine
      .devices()
      .find(({ device: name }) => name === device)!
      .registers.map(({ name, value }) => [name, value]),
  ) as Readonly<Partial<Record<'SCR' | 'IER' | 'OBF', string>>>;

describe('serial ports', { timeout: patience(30_000) }, () => {
  test('each sends to a console of its own', () =>
    withSession(
      { code: [0x3f8, 0x2f8, 0x3e8, 0x2e8].flatMap((port, index) => outb(port, 0x31 + index)).concat(EXIT_AL) },
      async (session) => {
        const heard: string[] = [];
        session.machine.serialPorts[1]!.onOutput((data) => heard.push(Buffer.from(data).toString()));
        assert.equal((await session.goToEnd()).exitStatus, statusOf(0x34));
        const sent = session.machine.serialPorts.map((port) => Buffer.from(port.history()).toString());
        assert.deepEqual(sent, ['1', '2', '3', '4']);
        assert.deepEqual(heard, ['2']);
      },
    ));

  test('COM3 receives what is put in, and shows its registers', () =>
    withSession(
      {
        code: [
          ...outb(0x3e8 + 7, 0x5a),
          // wait: mov dx, LSR; in al, dx; test al, 1; jz wait
          ...[...dx(0x3e8 + 5), 0xec, 0xa8, 0x01, 0x74, 0xf7],
          ...[...dx(0x3e8), 0xec],
          ...EXIT_AL,
        ],
      },
      async (session) => {
        session.machine.serialPorts[2]!.input(Uint8Array.of(0x42));
        assert.equal((await session.goToEnd()).exitStatus, statusOf(0x42));
        assert.equal(registersOf(session, 'COM3').SCR, '0x5a');
        assert.equal(registersOf(session, 'COM1').SCR, '0x0');
      },
    ));
});

describe('ACPI', { timeout: patience(30_000) }, () => {
  // mov dx, PM1_CNT; mov ax, SLP_EN | 5 << 10; out dx, ax
  const powerOff = [...dx(0x604), 0x66, 0xb8, 0x00, 0x34, 0x66, 0xef];

  test('the tables are where guests look, and in the memory map', () =>
    withSession(
      { code: powerOff },
      async (session) => {
        const { memory } = session.machine;
        const rsdp = Buffer.from(memory.read(0xe0000n, 36));
        assert.equal(rsdp.toString('latin1', 0, 8), 'RSD PTR ');
        const xsdt = rsdp.readBigUInt64LE(24);
        const entries = Buffer.from(memory.read(xsdt, 36 + 2 * 8));
        const named = [36, 44].map((at) => Buffer.from(memory.read(entries.readBigUInt64LE(at), 4)).toString());
        assert.deepEqual(named, ['FACP', 'APIC']);
        assert.ok(
          session.machine.memoryMap().regions.some(({ start, name }) => start === '0xe0000' && /ACPI/.test(name)),
        );
        assert.equal((await session.goToEnd()).cause, 'power-off');
      },
      { cpus: 2 },
    ));

  test('a guest that is loaded there keeps its own bytes', () =>
    withSession(
      { code: powerOff, more: [{ gpa: 0xe0100n, bytes: new Uint8Array(16).fill(0x55), name: 'own' }] },
      async ({ machine: { memory } }) => {
        assert.equal(memory.read(0xe0000n, 1)[0], 0);
        assert.equal(memory.read(0xe0100n, 1)[0], 0x55);
      },
    ));

  test('the timer runs', () =>
    withSession(
      // mov dx, PM_TMR; in eax, dx; mov ebx, eax; again: in eax, dx; cmp eax, ebx; je again; sub eax, ebx; out 0xf4, al
      { code: [...dx(0x608), 0xed, 0x89, 0xc3, 0xed, 0x39, 0xd8, 0x74, 0xfb, ...EXIT_AL] },
      async (session) => assert.equal((await session.goToEnd()).cause, 'debug-exit'),
    ));
});

test('fw_cfg gives its signature to a string instruction', { timeout: patience(30_000) }, () =>
  withSession(
    // mov dx, selector; xor eax, eax; out dx, ax; inc edx; mov ecx, 4; cld; rep insb
    { code: [...dx(0x510), 0x31, 0xc0, 0x66, 0xef, 0xff, 0xc2, 0xb9, ...imm32(4), 0xfc, 0xf3, 0x6c, ...EXIT_AL] },
    async (session) => {
      assert.equal((await session.goToEnd()).cause, 'debug-exit');
      assert.equal(Buffer.from(session.machine.memory.read(DATA, 4)).toString(), 'QEMU');
    },
  ),
);

test('the host bridge is at 00:00.0, and 0xcf9 still resets', { timeout: patience(30_000) }, () =>
  withSession(
    {
      code: [
        // mov dx, 0xcf8; mov eax, 0x80000000; out dx, eax; mov dl, 0xfc; in eax, dx; mov [rdi], eax
        ...[...dx(0xcf8), 0xb8, ...imm32(0x8000_0000), 0xef, 0xb2, 0xfc, 0xed, 0x89, 0x07],
        ...outb(0xcf9, 0x06),
      ],
    },
    async (session) => {
      assert.equal((await session.goToEnd()).cause, 'reset');
      assert.deepEqual([...session.machine.memory.read(DATA, 4)], imm32(0x1237_8086));
    },
  ),
);

describe('keyboard', { timeout: patience(30_000) }, () => {
  // wait: in al, 0x64; test al, 1; jz wait; in al, 0x60
  const readKey = [0xe4, 0x64, 0xa8, 0x01, 0x74, 0xfa, 0xe4, 0x60];

  test('what is typed arrives as scan codes', () =>
    withSession({ code: [...readKey, ...EXIT_AL] }, async (session) => {
      session.machine.console.input(Buffer.from('k'));
      assert.equal((await session.goToEnd()).exitStatus, statusOf(0x25));
    }));

  test('but not for a guest that listens on COM1', () =>
    withSession({ code: [...outb(0x3f9, 1), 0xf3, 0x90, 0xeb, 0xfc] }, async (session) => {
      const stopped = session.go();
      while (registersOf(session, 'COM1').IER !== '0x1') await new Promise((resolve) => setImmediate(resolve));
      session.machine.console.input(Buffer.from('k'));
      session.machine.interrupt();
      await stopped;
      assert.equal(registersOf(session, 'i8042').OBF, '0x0');
    }));

  test('its interrupt reaches the guest', () => {
    const INTERRUPT_1 = 0x21;
    // PICs: ICW1 to ICW4, all masked but line 1; sti; wait: hlt; jmp wait
    const initialise = [
      [0x20, 0x11],
      [0x21, 0x20],
      [0x21, 0x04],
      [0x21, 0x01],
      [0x21, 0xfd],
    ].flatMap(([port, value]) => [0xb0, value!, 0xe6, port!]);
    // mov eax, 0xfee000f0; mov dword [rax], 0x1ff; LINT0 (+0x260) as ExtINT: mov dword [rax + 0x260], 0x700
    const apic = [
      ...[0xb8, ...imm32(0xfee0_00f0), 0xc7, 0x00, ...imm32(0x1ff)],
      ...[0xc7, 0x80, ...imm32(0x260), ...imm32(0x700)],
    ];
    return withSession(
      {
        code: [...apic, ...initialise, ...outb(0x3f8, 0x72), 0xfb, 0xf4, 0xeb, 0xfd],
        handler: [0xe4, 0x60, ...EXIT_AL],
        vectors: [INTERRUPT_1],
      },
      async (session) => {
        const ready = new Promise((resolve) => session.machine.console.onOutput(resolve));
        const end = session.goToEnd();
        await ready;
        session.machine.console.input(Buffer.from('z'));
        assert.equal((await end).exitStatus, statusOf(0x2c));
      },
    );
  });
});

test('a PCI function answers in memory at its BAR', { timeout: patience(30_000) }, () =>
  withSession(
    {
      // mov ebx, 0x40000000; mov ax, [rbx + 0x12] (num_queues); mov [rdi], ax; mov word [rbx + 0x16], 5 (queue_select)
      // mov ax, [rbx + 0x16]; mov [rdi + 2], ax; mov eax, [rbx + 0x100000] (nobody's); mov [rdi + 4], eax; exit
      code: [
        ...[0xbb, ...imm32(0x4000_0000), 0x66, 0x8b, 0x43, 0x12, 0x66, 0x89, 0x07],
        ...[0x66, 0xc7, 0x43, 0x16, 5, 0, 0x66, 0x8b, 0x43, 0x16, 0x66, 0x89, 0x47, 0x02],
        ...[0x8b, 0x83, ...imm32(0x10_0000), 0x89, 0x47, 0x04, ...EXIT_AL],
      ],
      at1GiB: 0xfe00_0000n | 0x83n,
    },
    async (session) => {
      assert.equal((await session.goToEnd()).cause, 'debug-exit');
      assert.deepEqual([...session.machine.memory.read(DATA, 8)], [1, 0, 5, 0, 0xff, 0xff, 0xff, 0xff]);
    },
  ),
);
