/** Where an image's virtual addresses lie in physical memory before the kernel has page tables of its own. */
import type { BootImage } from '../boot/boot-image.ts';

export class ImageMap {
  readonly #image: BootImage;

  constructor(image: BootImage) {
    this.#image = image;
  }

  /** Guest-physical address of a byte of the image by the address that it was linked for. */
  locate(gva: bigint): number | undefined {
    for (const { gpa, gva: start, bytes } of this.#image.segments) {
      if (start !== undefined && gva >= start && gva < start + BigInt(bytes.length)) return Number(gpa + gva - start);
    }
    return undefined;
  }
}
