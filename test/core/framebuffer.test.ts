/** A guest draws where its loader tells it to, and what it drew is in memory, in the memory map and in snapshots. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createMachine, type MachineOptions } from '../../hypervisor-core/machine/machine.ts';
import { restoreMachine } from '../../hypervisor-core/machine/restored-machine.ts';
import type { Resolution } from '../../hypervisor-core/protocol/framebuffer.ts';
import { memoryTree } from '../../hypervisor-core/stub/monitor/memory-tree.ts';
import type { Client } from '../../hypervisor-core/stub/packet.ts';
import { drawnPixel, SCREEN_STATUS, screenKernel } from '../guests/screen.ts';
import { patience } from '../patience.ts';
import { CODE, imm32, Session, withSession } from './tiny-guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-framebuffer-'));
after(() => rmSync(folder, { recursive: true }));

const ADDRESS = 0xc000_0000n;
const SCREEN = { width: 200, height: 75 };

async function booted(path: string, framebuffer?: Resolution): Promise<Session> {
  const boot = { name: 'kernel', file: readFileSync(path), commandLine: '' };
  const options: MachineOptions = { boot, memory: 4 << 20, cpus: 1, ...(framebuffer && { framebuffer }) };
  return Session.over(await createMachine(options));
}

function pixels({ machine }: Session, { width, height }: Resolution): number[] {
  const bytes = Buffer.from(machine.memory.read(ADDRESS, width * height * 4));
  assert.equal(bytes.length, width * height * 4);
  return Array.from({ length: width * height }, (_, at) => bytes.readUInt32LE(at * 4));
}

describe('a kernel that asks for a framebuffer', { timeout: patience(120_000) }, () => {
  for (const protocol of ['multiboot1', 'multiboot2'] as const) {
    const kernel = screenKernel(join(folder, protocol), protocol);

    test(`draws on it, told by ${protocol}`, async () => {
      const session = await booted(kernel, SCREEN);
      try {
        assert.equal(session.machine.info.bootProtocol, protocol);
        assert.equal((await session.goToEnd()).exitStatus, SCREEN_STATUS.drawn);
        const { width, height } = SCREEN;
        const wanted = Array.from({ length: width * height }, (_, at) =>
          drawnPixel(at % width, Math.trunc(at / width)),
        );
        assert.deepEqual(pixels(session, SCREEN), wanted);
      } finally {
        await session.machine.close();
      }
    });

    test(`finds that there is none, told by ${protocol}`, async () => {
      const session = await booted(kernel);
      try {
        assert.equal((await session.goToEnd()).exitStatus, SCREEN_STATUS.noFramebuffer);
        assert.equal(session.machine.memory.read(ADDRESS, 4).length, 0);
        const { regions } = session.machine.memoryMap();
        assert.deepEqual(
          regions.filter(({ kind }) => kind === 'framebuffer'),
          [],
        );
      } finally {
        await session.machine.close();
      }
    });
  }
});

test('the memory map has it, whole units of 64 KiB, which can be read, written, and no more', () =>
  withSession(
    { code: [0xf4] },
    async ({ machine }) => {
      const [region, ...more] = machine.memoryMap().regions.filter(({ kind }) => kind === 'framebuffer');
      assert.deepEqual(more, []);
      assert.deepEqual(region, {
        ...{ start: '0xc0000000', end: '0xc0010000', kind: 'framebuffer' },
        ...{ name: 'Framebuffer 200 × 75, 32 bits a pixel', detail: 'XRGB8888, 800 bytes a row' },
        screen: { width: 200, height: 75, stride: 800, format: 'XRGB8888' },
      });
      const client: Pick<Client, 'machine' | 'vcpu'> = { machine, vcpu: machine.vcpus[0]! };
      const tree = async (argument: string) => await memoryTree.run(client as Client, argument);
      const words = 'Framebuffer 200 × 75, 32 bits a pixel, XRGB8888, 800 bytes a row';
      const range = '00000000c0000000-00000000c000ffff';
      assert.ok((await tree('')).includes(`\n  ${range} (framebuffer): ${words}\n`));
      assert.ok((await tree('-f')).includes(`\n  ${range} (prio 0, ram): ${words}\n`));
      assert.equal(machine.memory.write(0xc000_fffen, Uint8Array.of(1, 2, 3, 4)), 2);
      assert.deepEqual([...machine.memory.read(0xc000_fffen, 4)], [1, 2]);
    },
    { framebuffer: SCREEN },
  ));

test('one of any other size is refused', () =>
  assert.rejects(
    Session.start({ code: [0xf4] }, { framebuffer: { width: 63, height: 64 } }),
    /framebuffer must be WIDTHxHEIGHT in pixels, each from 64 to 4096, such as 1024x768; not 63x64/,
  ));

describe('a snapshot has what is drawn', { timeout: patience(120_000) }, () => {
  // mov rax, 0x40000000 (mapped to the framebuffer); inc dword [rax]; hlt
  const code = [0x48, 0xb8, ...imm32(0x4000_0000), 0, 0, 0, 0, 0xff, 0x00, 0xf4];
  const guest = { code, at1GiB: ADDRESS | 0x83n };
  const AFTER = CODE + 12n;
  const file = join(folder, 'snapshot');
  /** Going back is told as a stop. */
  const restore = async (session: Session) => {
    await session.machine.snapshots.restore('one');
    assert.deepEqual(await session.next(), { vcpu: 0, reason: { kind: 'entry' } });
  };
  const first = ({ machine }: Session) => [...machine.memory.read(ADDRESS, 4)];

  test('and gets it back', () =>
    withSession(
      guest,
      async (session) => {
        const { machine } = session;
        machine.insertBreakpoint('software', AFTER, 1);
        assert.equal((await session.go()).kind, 'breakpoint');
        assert.deepEqual(first(session), imm32(1));
        await machine.snapshots.take('one');
        machine.memory.write(ADDRESS, Uint8Array.of(7, 7, 7, 7));
        await restore(session);
        assert.deepEqual(first(session), imm32(1));
        // What the guest itself writes is noted, too.
        session.setRegister('rip', CODE);
        assert.equal((await session.go()).kind, 'breakpoint');
        assert.deepEqual(first(session), imm32(2));
        await restore(session);
        assert.deepEqual(first(session), imm32(1));
        await machine.snapshots.save('one', file);
        await machine.snapshots.restart();
        assert.deepEqual(first(session), imm32(0));
      },
      { framebuffer: SCREEN },
    ));

  test('in a file, too, which brings its size along', async () => {
    const session = Session.over(await restoreMachine(file));
    try {
      assert.deepEqual(first(session), imm32(1));
      const region = session.machine.memoryMap().regions.find(({ kind }) => kind === 'framebuffer');
      assert.deepEqual(region?.screen, { ...SCREEN, stride: 800, format: 'XRGB8888' });
    } finally {
      await session.machine.close();
    }
  });

  test('and is of no machine with another one', () =>
    withSession(
      guest,
      ({ machine }) =>
        assert.rejects(machine.snapshots.load(file), /of another machine: its framebuffer: 200x75, not 200x76/),
      { framebuffer: { width: 200, height: 76 } },
    ));
});
