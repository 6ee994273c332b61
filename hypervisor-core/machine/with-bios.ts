/** Gives a boot sector what it finds on a PC: BIOS services, its disk, timer and keyboard interrupts. */
import { BootError, type BootImage, type BootRequest } from '../boot/boot-image.ts';
import { bootMemoryMap } from '../boot/guest-memory.ts';
import { Placement } from '../boot/placement.ts';
import { SECTOR_BYTES } from '../devices/bios/layout.ts';
import { biosImage, driveOf } from '../devices/bios/rom.ts';
import { CHIP, PIC, PIT } from '../interrupts/irqchip.ts';
import { KVM } from '../kvm/abi.ts';
import type { KvmVm } from '../kvm/vm.ts';

const INTERRUPTS_ON = 0x202n;

/** The whole file is the disk, in memory that the memory map keeps for it. Throws `BootError` where it does not fit. */
export function withBios(image: BootImage, { name, file, ram }: BootRequest): BootImage {
  const disk = new Uint8Array(Math.ceil(file.length / SECTOR_BYTES) * SECTOR_BYTES);
  disk.set(file);
  const placement = new Placement(ram, name);
  const start = placement.tryAllocate(BigInt(disk.length), 'the disk', 0x1_0000_0000n);
  if (start === undefined) {
    throw new BootError(
      `${name} has ${file.length} bytes, which do not fit into guest memory above 1 MiB.`,
      'Give the guest more memory: its disk is kept there.',
    );
  }
  const memory = bootMemoryMap(placement, [{ start, end: start + BigInt(disk.length) }]);
  const bios = biosImage({ start: Number(start), size: disk.length }, memory);
  const segments = [
    ...bios.map(({ gpa, ...bytes }) => ({ gpa: BigInt(gpa), ...bytes })),
    { gpa: start, bytes: disk, name: 'disk' },
  ];
  const general = { ...image.cpu.general, rdx: BigInt(driveOf(disk.length)), rflags: INTERRUPTS_ON };
  return { ...image, segments: [...image.segments, ...segments], cpu: { ...image.cpu, general } };
}

/** Puts PICs and timer into the state that a BIOS leaves them in: interrupts 8 and 70h, 18.2 ticks a second, keyboard. */
export function startChips(vm: KvmVm): void {
  const [TIMER_KEYBOARD_SLAVE, NOTHING] = [0xf8, 0xff];
  for (const [chip, vectors, mask] of [
    [KVM.IRQCHIP_PIC_MASTER, 0x08, TIMER_KEYBOARD_SLAVE],
    [KVM.IRQCHIP_PIC_SLAVE, 0x70, NOTHING],
  ] as const) {
    const state = vm.irqchip(chip);
    state[CHIP + PIC.irqBase] = vectors;
    state[CHIP + PIC.imr] = mask;
    vm.setIrqchip(state);
  }
  const pit = vm.pit();
  const channel = new DataView(pit.buffer, pit.byteOffset, pit.byteLength);
  const [SQUARE_WAVE, LOW_THEN_HIGH] = [3, 3];
  channel.setUint32(PIT.count, 0x1_0000, true);
  channel.setUint8(PIT.readWriteMode, LOW_THEN_HIGH);
  channel.setUint8(PIT.mode, SQUARE_WAVE);
  channel.setUint8(PIT.gate, 1);
  vm.setPit(pit);
}
