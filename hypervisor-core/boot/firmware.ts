/**
 * Firmware, as a PC has it: ROM that ends at 4 GiB, and its last 128 KiB once more below 1 MiB. There they are in RAM, as
 * firmware has it once it has told the chip set to shadow them. The processor starts at its reset vector (Intel SDM vol. 3A, 10.1.4).
 */
import { firmwareProblem } from '../protocol/firmware.ts';
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { realMode } from './cpu-state.ts';

const MOST_LOW = 128 * 1024;
const ONE_MIB = 0x10_0000;
const FOUR_GIB = 2 ** 32;

/** Throws `BootError` for a file of another size than firmware has. */
export function bootFirmware({ name, file }: BootRequest): BootImage {
  const problem = firmwareProblem(file.length);
  if (problem) throw new BootError(`${name} ${problem}.`, 'Give the image as QEMU takes it by -bios, such as SeaBIOS.');
  const low = file.subarray(-Math.min(file.length, MOST_LOW));
  return {
    protocol: 'firmware',
    romSize: file.length,
    segments: [
      { gpa: BigInt(FOUR_GIB - file.length), bytes: file, name: 'firmware' },
      { gpa: BigInt(ONE_MIB - low.length), bytes: low, name: 'firmware' },
    ],
    zeroed: [],
    cpu: atReset(),
    description: 'firmware, entered at the reset vector',
  };
}

/** F000:FFF0 with the base of CS at 0xffff0000, all other segments at 0. */
function atReset(): BootImage['cpu'] {
  const state = realMode({ cs: 0xf000, ip: 0xfff0, ss: 0, sp: 0 });
  const { segments } = state;
  return {
    ...state,
    segments: { ...segments, cs: { ...segments.cs, base: 0xffff_0000n } },
    idt: { base: 0n, limit: 0xffff },
    // Caches off: CD, NW and ET.
    cr0: 0x6000_0010n,
  };
}
