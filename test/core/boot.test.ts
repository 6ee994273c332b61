/**
 * A guest for each boot protocol that checks in its own code what it was given, and says so by the debug-exit port: 0x21 is
 * well, 0x7f is not. The machine code stands beside what it checks.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BootRequest } from '../../hypervisor-core/boot/boot-image.ts';
import { createMachine } from '../../hypervisor-core/machine/machine.ts';
import type { BootProtocol } from '../../hypervisor-core/protocol/boot-choice.ts';
import type { GuestEnd } from '../../hypervisor-core/protocol/inspect.ts';
import { patience } from '../patience.ts';
import { bzImage, elf32WithPvhNote, type Guest, multiboot1Image, multiboot2Image } from './boot-files.ts';

const WELL = (0x21 << 1) | 1;
const hex = (text: string) => Buffer.from(text, 'hex');

const guests: readonly (Guest & { readonly protocol: BootProtocol; readonly file: Uint8Array })[] = [
  {
    // DL = 0x80, SP = 0x7c00, no PE in the machine status word, IP = 0x7c00.
    checks: 'real mode at 0000:7c00, the first hard disk in DL',
    protocol: 'sector',
    file: (() => {
      const sector = Buffer.alloc(1024, 0xcc);
      hex('80fa80751a81fc007c75140f01e0a801750de80000583d157c7504b021e6f4b07fe6f4').copy(sector);
      sector.writeUInt16LE(0xaa55, 510);
      return sector;
    })(),
  },
  {
    // CS = 0x2000, a stack that works, no PE.
    checks: 'real mode at an address above 64 KiB',
    protocol: 'flat16',
    told: { protocol: 'flat16', address: 0x2_0000n },
    file: hex('8cc83d00207511505b39d8750b0f01e0a8017504b021e6f4b07fe6f4'),
  },
  {
    // CR0 = PE | ET, EDI = "root...", EIP = 1 MiB, a stack that works.
    checks: 'protected mode at 1 MiB with the command line in EDI',
    protocol: 'flat32',
    told: { protocol: 'flat32' },
    file: hex('0f20c083f8117519813f726f6f747511e800000000583d150010007504b021e6f4b07fe6f4'),
  },
  {
    // CR0.PG, CS = 8, RDI = "root...", the memory map's flag at [RSI].
    checks: 'long mode with command line and information in RDI and RSI',
    protocol: 'flat64',
    told: { protocol: 'flat64', address: 0x20_0000n },
    file: hex('0f20c0480fbae01f73188cc883f8087511813f726f6f747509f606407404b021e6f4b07fe6f4'),
  },
  {
    // EAX, flags 0x4d, command line, two modules with what is in the first and the second's string.
    checks: 'multiboot 1: magic number, command line, modules, memory map',
    protocol: 'multiboot1',
    file: multiboot1Image(
      hex(
        '3d02b0ad2b75378b0b83e14d83f94d752d8b7310813e726f6f747522837b1402751c8b7b188b7710813e6d6f6475750e8b7718' +
          '66813e6d327504b021e6f4b07fe6f4',
      ),
    ),
  },
  {
    // EAX; walks the tags: command line, module content; types 1, 2, 3, 4 and 6 are there.
    checks: 'multiboot 2: magic number and tags',
    protocol: 'multiboot2',
    file: multiboot2Image(
      hex(
        '3d8962d736754531d28d73088b0685c0742e0fabc283f8017509817e08726f6f74752983f803750b8b7e08813f6d6f64757519' +
          '8b460483c00783e0f801c6ebcc83e25e83fa5e7504b021e6f4b07fe6f4',
      ),
    ),
  },
  {
    // magic, version 1, command line, two modules with the second's content, three memory map entries, RSDP.
    checks: 'PVH: struct hvm_start_info',
    protocol: 'pvh',
    file: elf32WithPvhNote(
      hex(
        '813b78c56e337541837b0401753b8b7318813e726f6f747530837b0c02752a8b7b108b7720813e6d6f6475751c8b7b28837f10' +
          '017513837b3003750d817b2000000e007504b021e6f4b07fe6f4',
      ),
    ),
  },
  {
    // CS = 0x10, DS = 0x18, "HdrS", command line, initrd's content and size, three e820 entries, RSDP.
    checks: 'Linux: selectors and struct boot_params',
    protocol: 'linux',
    modules: [],
    file: bzImage(
      hex(
        '8cc883f810754e8cd883f818754781be0202000048647253753b8bbe28020000813f726f6f74752d8bbe18020000813f6d6f64' +
          '75751f83be1c02000007751680bee801000003750d817e7000000e007504b021e6f4b07fe6f4',
      ),
    ),
  },
];

describe('a guest finds what its boot protocol promises', { timeout: patience(120_000) }, () => {
  for (const { checks, protocol, told, file, modules } of guests) {
    test(checks, async () => {
      const boot: Omit<BootRequest, 'ram'> = {
        name: 'guest',
        file,
        commandLine: 'root=/dev/ram',
        initrd: { name: 'm1', file: Buffer.from('module1') },
        modules: modules ?? [{ commandLine: 'm2', file: Buffer.from('module2') }],
        rsdp: 0xe_0000n,
        ...told,
      };
      const machine = await createMachine({ boot, memory: 16 << 20, cpus: 1 });
      try {
        assert.equal(machine.info.bootProtocol, protocol);
        const end = await new Promise<GuestEnd>((resolve, reject) => {
          machine.onState((state) => state.kind === 'ended' && resolve(state.end));
          machine.onStop(({ reason }) => reject(new Error(`stopped: ${JSON.stringify(reason)}`)));
          machine.resume([{ vcpu: 0, action: { kind: 'continue' } }]);
        });
        assert.deepEqual({ cause: end.cause, exitStatus: end.exitStatus }, { cause: 'debug-exit', exitStatus: WELL });
      } finally {
        await machine.close();
      }
    });
  }
});
