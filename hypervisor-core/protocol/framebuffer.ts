/**
 * The linear framebuffer: how a person asks for one (`ringside run --framebuffer`, launch.json's `framebuffer`), and what
 * comes of it. A pixel has 32 bits, XRGB8888: blue in the lowest byte, then green, red, and a byte without a meaning.
 */

/** In pixels. */
export interface Resolution {
  readonly width: number;
  readonly height: number;
}

const LEAST = 64;
const MOST = 4096;
const PIXEL_BYTES = 4;
/** In which a Linux is told the size of a VESA framebuffer (`lfb_size`). */
const UNIT = 0x1_0000;

/** Guest-physical address of the first pixel: the start of the device hole. */
export const FRAMEBUFFER_ADDRESS = 0xc000_0000;
/** Bytes that are kept free for the largest one. */
export const FRAMEBUFFER_ROOM: number = MOST * MOST * PIXEL_BYTES;

/** For messages: what {@link parseResolution} takes. */
export const RESOLUTIONS = `WIDTHxHEIGHT in pixels, each from ${LEAST} to ${MOST}, such as 1024x768`;

export const isResolution = ({ width, height }: Resolution): boolean =>
  [width, height].every((pixels) => Number.isInteger(pixels) && pixels >= LEAST && pixels <= MOST);

/** Undefined for what {@link RESOLUTIONS} does not say. */
export function parseResolution(text: string): Resolution | undefined {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  const resolution = { width: Number(match?.[1]), height: Number(match?.[2]) };
  return isResolution(resolution) ? resolution : undefined;
}

export const formatResolution = ({ width, height }: Resolution): string => `${width}x${height}`;

/** Bytes from a row to the next. */
export const strideOf = ({ width }: Resolution): number => width * PIXEL_BYTES;

/** Bytes of memory, whole units of 64 KiB. */
export const framebufferBytes = (resolution: Resolution): number =>
  Math.ceil((strideOf(resolution) * resolution.height) / UNIT) * UNIT;
